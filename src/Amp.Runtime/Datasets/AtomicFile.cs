namespace Amp.Datasets;

/// <summary>Writes small files so that a reader, or a crash, sees the old content or the new, never half of it.</summary>
internal static class AtomicFile
{
    /// <summary>Writes to a temporary name beside the file, flushes to disk, then renames.</summary>
    /// <param name="path">The file.</param>
    /// <param name="content">Its content.</param>
    /// <param name="isPrivate">Whether only the owner may read it (mode 0600).</param>
    /// <param name="overwrite">Whether an existing file is replaced; otherwise it is an <see cref="IOException"/>.</param>
    /// <param name="cancellationToken">Ends the wait; nothing is left behind then.</param>
    public static async Task WriteAsync(
        string path, ReadOnlyMemory<byte> content, bool isPrivate, bool overwrite, CancellationToken cancellationToken)
    {
        var temporary = Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.{Guid.NewGuid():n}.tmp");
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (isPrivate && !OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        try
        {
            await using (var stream = new FileStream(temporary, options))
            {
                await stream.WriteAsync(content, cancellationToken);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }
}
