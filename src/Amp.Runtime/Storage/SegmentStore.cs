using System.Security.Cryptography;

namespace Amp.Storage;

/// <summary>A published file.</summary>
/// <param name="RelativePath">Its path under the store's root, with <c>/</c> between folders.</param>
/// <param name="FullPath">Where it is.</param>
/// <param name="Size">Its size in bytes.</param>
internal sealed record StoredFile(string RelativePath, string FullPath, long Size);

/// <summary>
/// Files under a local folder. A file has its name only once it is complete and on disk; until then it has a temporary
/// name that ends in <see cref="TemporarySuffix"/> beside it. Paths are relative to the root, with <c>/</c> between
/// folders; a path that leaves the root is refused as <c>StoragePathInvalid</c>. A full disk is <c>StorageFull</c>, a
/// folder that cannot be written <c>StorageNotWritable</c>, any other failure <c>StorageFailed</c>.
/// </summary>
internal sealed class SegmentStore
{
    /// <summary>How names of unfinished files end.</summary>
    public const string TemporarySuffix = ".tmp";

    private readonly string _root;

    /// <summary>Opens a store; nothing is created or looked at.</summary>
    public SegmentStore(string root) => _root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));

    /// <summary>The folder that everything is in.</summary>
    public string Root => _root;

    /// <summary>
    /// Begins a file, and its folders where they are missing. It does not exist under its name until it is published.
    /// </summary>
    public Task<PendingFile> CreateAsync(string relativePath, CancellationToken cancellationToken)
    {
        var target = Resolve(relativePath);
        var temporary = $"{target}.{RandomNumberGenerator.GetHexString(8, lowercase: true)}{TemporarySuffix}";
        return RunAsync("create", temporary, () =>
        {
            DurableFolder.Create(Path.GetDirectoryName(target)!);
            return new PendingFile(relativePath, target, temporary);
        }, cancellationToken);
    }

    /// <summary>Opens a published file for reading at any position; <c>StorageFileMissing</c> when there is none.</summary>
    public FileStream OpenRead(string relativePath) => OpenFile(Resolve(relativePath));

    /// <summary>Opens any file for reading at any position; <c>StorageFileMissing</c> when there is none.</summary>
    /// <param name="path">The whole path.</param>
    public static FileStream OpenFile(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 4096, FileOptions.Asynchronous);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new AmpException("StorageFileMissing", AmpErrorKind.NotFound, $"{path} does not exist.", e)
            {
                Target = path,
                RecommendedAction = "Test-AmpTable says which files of tables are missing; Repair-AmpTable extracts their blocks again.",
            };
        }
        catch (UnauthorizedAccessException e)
        {
            throw new AmpException("StorageNotReadable", AmpErrorKind.Denied, $"{path} cannot be read: {e.Message}", e)
            {
                Target = path,
                RecommendedAction = "Give the account that reads it access to the file and its folders.",
            };
        }
        catch (Exception e) when (StorageError.IsKnown(e))
        {
            throw StorageError.Of(e, "open", path);
        }
    }

    /// <summary>Whole path of a file or folder of the store.</summary>
    public string Resolve(string relativePath)
    {
        var isPlain = relativePath.Length > 0 && !Path.IsPathRooted(relativePath)
            && relativePath.Split('/').All(part => part.Length > 0 && part is not ("." or "..") && part.AsSpan().IndexOfAny('\\', ':', '\0') < 0);
        return isPlain
            ? Path.Combine(_root, relativePath.Replace('/', Path.DirectorySeparatorChar))
            : throw new AmpException("StoragePathInvalid", AmpErrorKind.InvalidInput, $"'{relativePath}' is not a path under {_root}.")
            {
                Target = relativePath,
                RecommendedAction = "Use names of letters, digits, '-', '_' and '.', with '/' between folders.",
            };
    }

    /// <summary>
    /// The files directly in a folder, by name; those with a temporary name only, or those without. A folder that does
    /// not exist has none.
    /// </summary>
    public Task<IReadOnlyList<StoredFile>> ListAsync(string relativeFolder, bool temporary, CancellationToken cancellationToken)
    {
        var folder = Resolve(relativeFolder);
        return RunAsync<IReadOnlyList<StoredFile>>("list", folder, () => !Directory.Exists(folder)
            ? []
            : [.. new DirectoryInfo(folder).EnumerateFiles()
                .Where(file => file.Name.EndsWith(TemporarySuffix, StringComparison.Ordinal) == temporary)
                .OrderBy(file => file.Name, StringComparer.Ordinal)
                .Select(file => new StoredFile($"{relativeFolder}/{file.Name}", file.FullName, file.Length))], cancellationToken);
    }

    /// <summary>Paths of the folders directly in a folder, by name. A folder that does not exist has none.</summary>
    public Task<IReadOnlyList<string>> ListFoldersAsync(string relativeFolder, CancellationToken cancellationToken)
    {
        var folder = Resolve(relativeFolder);
        return RunAsync<IReadOnlyList<string>>("list", folder, () => !Directory.Exists(folder)
            ? []
            : [.. new DirectoryInfo(folder).EnumerateDirectories()
                .Select(child => $"{relativeFolder}/{child.Name}")
                .Order(StringComparer.Ordinal)], cancellationToken);
    }

    /// <summary>Deletes a file; false when there was none.</summary>
    public Task<bool> DeleteAsync(string relativePath, CancellationToken cancellationToken)
    {
        var path = Resolve(relativePath);
        return RunAsync("delete", path, () =>
        {
            if (!File.Exists(path))
            {
                return false;
            }

            File.Delete(path);
            DurableFolder.Flush(Path.GetDirectoryName(path)!);
            return true;
        }, cancellationToken);
    }

    /// <summary>
    /// Proves that files can be written under the root, by writing one and taking it away again: in the root, or, while that
    /// does not exist, in the folder that it will be made in.
    /// </summary>
    public async Task EnsureWritableAsync(CancellationToken cancellationToken)
    {
        var folder = _root;
        while (!Path.Exists(folder) && Path.GetDirectoryName(folder) is { } parent)
        {
            folder = parent;
        }

        var probe = Path.Combine(folder, $".probe.{RandomNumberGenerator.GetHexString(8, lowercase: true)}{TemporarySuffix}");
        try
        {
            await using var file = new FileStream(probe, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.Asynchronous | FileOptions.DeleteOnClose);
            await file.WriteAsync(new byte[1], cancellationToken);
        }
        catch (Exception e) when (StorageError.IsKnown(e))
        {
            throw StorageError.Of(e, "write to", _root);
        }
    }

    // The file system blocks, and waits for the disk: not on the caller's thread.
    private static async Task<T> RunAsync<T>(string action, string path, Func<T> work, CancellationToken cancellationToken)
    {
        try
        {
            return await Task.Run(work, cancellationToken);
        }
        catch (Exception e) when (StorageError.IsKnown(e))
        {
            throw StorageError.Of(e, action, path);
        }
    }
}
