namespace Amp.Storage;

/// <summary>A file being written. Without <see cref="PublishAsync"/>, disposing it leaves nothing.</summary>
internal sealed class PendingFile : IAsyncDisposable
{
    private readonly string _relativePath;
    private readonly string _target;
    private readonly string _temporary;
    private readonly FileStream _file;

    internal PendingFile(string relativePath, string target, string temporary)
    {
        _relativePath = relativePath;
        _target = target;
        _temporary = temporary;
        _file = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0, FileOptions.Asynchronous);
        Content = new StorageStream(_file, temporary);
    }

    /// <summary>Where the content goes. Failures to write come as <see cref="AmpException"/>s that name the file.</summary>
    public Stream Content { get; }

    /// <summary>Whether the file exists under its name.</summary>
    public bool IsPublished { get; private set; }

    /// <summary>
    /// Makes the file exist: content to disk, then its name, then the folder's entry to disk. A crash before the end
    /// leaves a temporary file or the whole one, never a part under the name. A file of that name is refused as
    /// <c>StorageFileExists</c>.
    /// </summary>
    public async ValueTask<StoredFile> PublishAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Content.FlushAsync(cancellationToken);
            var size = _file.Length;

            // Waits for the disk: not on the caller's thread.
            await Task.Run(() => _file.Flush(flushToDisk: true), cancellationToken);
            await _file.DisposeAsync();
            if (File.Exists(_target))
            {
                throw new AmpException("StorageFileExists", AmpErrorKind.Conflict, $"{_target} exists already and is not overwritten.")
                {
                    Target = _target,
                };
            }

            File.Move(_temporary, _target, overwrite: false);
            IsPublished = true;
            await Task.Run(() => DurableFolder.Flush(Path.GetDirectoryName(_target)!), CancellationToken.None);
            return new StoredFile(_relativePath, _target, size);
        }
        catch (Exception e) when (StorageError.IsKnown(e))
        {
            throw StorageError.Of(e, "publish", _target);
        }
    }

    /// <summary>Deletes what was not published.</summary>
    public async ValueTask DisposeAsync()
    {
        if (IsPublished)
        {
            return;
        }

        try
        {
            await _file.DisposeAsync();
            File.Delete(_temporary);
        }
        catch (Exception e) when (StorageError.IsKnown(e))
        {
            // A temporary file that stays is found by its name and removed at the next start.
        }
    }
}
