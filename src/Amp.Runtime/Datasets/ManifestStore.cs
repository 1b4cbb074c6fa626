namespace Amp.Datasets;

/// <summary>
/// Manifest files in <c>manifests_dir</c>, each named by its hash, without an extension, as existing deployments
/// name them. A file is complete or not there, and its content is checked against its name when it is read.
/// </summary>
public sealed class ManifestStore
{
    private readonly string _folder;

    /// <summary>Opens a folder; it need not exist.</summary>
    public ManifestStore(string manifestsDir) => _folder = Path.GetFullPath(manifestsDir);

    /// <summary>Writes a manifest, unless it is there already.</summary>
    /// <returns>Its hash, and its path relative to the folder: what <c>manifest_files.path</c> holds.</returns>
    /// <exception cref="AmpException"><c>ManifestNotWritable</c>.</exception>
    public async Task<(string Hash, string Path)> SaveAsync(RawManifest manifest, CancellationToken cancellationToken)
    {
        var json = ManifestJson.Write(manifest);
        var hash = ManifestHash.Compute(json);
        var file = Path.Combine(_folder, hash);
        try
        {
            if (!File.Exists(file) || ManifestHash.Compute(await File.ReadAllBytesAsync(file, cancellationToken)) != hash)
            {
                Directory.CreateDirectory(_folder);
                await AtomicFile.WriteAsync(file, json, isPrivate: false, overwrite: true, cancellationToken);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new AmpException("ManifestNotWritable", AmpErrorKind.Denied, $"The manifest {hash} cannot be written to {_folder}: {exception.Message}", exception)
            {
                Target = file,
                RecommendedAction = "Check manifests_dir in the configuration, the folder's permissions and the disk's free space.",
            };
        }

        return (hash, hash);
    }

    /// <summary>Reads a manifest. One of an older deployment, with other columns, is read as having today's.</summary>
    /// <param name="hash">Its hash.</param>
    /// <param name="path">Its path relative to the folder, where <c>manifest_files.path</c> states another than the hash.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="AmpException">
    /// <c>ManifestNotFound</c>; <c>ManifestUnreadable</c>; <c>ManifestCorrupt</c> when the content does not have that
    /// hash; or what <see cref="ManifestJson.Parse(ReadOnlyMemory{byte}, string)"/> throws, but <c>ColumnMismatch</c>.
    /// </exception>
    public async Task<RawManifest> ReadAsync(string hash, string? path = null, CancellationToken cancellationToken = default)
    {
        var file = FileOf(path ?? hash);
        byte[] json;
        try
        {
            json = await File.ReadAllBytesAsync(file, cancellationToken);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new AmpException("ManifestNotFound", AmpErrorKind.NotFound, $"The file of the manifest {hash} does not exist: {file}.", exception)
            {
                Target = hash,
                RecommendedAction = "Register the dataset again, or check manifests_dir in the configuration.",
            };
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new AmpException("ManifestUnreadable", AmpErrorKind.Denied, $"The file of the manifest {hash} cannot be read: {exception.Message}", exception)
            {
                Target = file,
                RecommendedAction = "Check the file's permissions.",
            };
        }

        var actual = ManifestHash.Compute(json);
        if (actual != hash)
        {
            throw new AmpException("ManifestCorrupt", AmpErrorKind.InvalidData, $"The file of the manifest {hash} was changed: {file} has the hash {actual}.")
            {
                Target = file,
                RecommendedAction = "Restore the file, or delete it and register the dataset again.",
            };
        }

        return ManifestJson.ParseRegistered(json, file);
    }

    /// <summary>Removes a manifest's file; nothing happens when there is none.</summary>
    /// <exception cref="AmpException"><c>ManifestNotWritable</c>.</exception>
    public void Remove(string hash)
    {
        var file = FileOf(hash);
        try
        {
            if (File.Exists(file))
            {
                File.Delete(file);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new AmpException("ManifestNotWritable", AmpErrorKind.Denied, $"The manifest {hash} cannot be removed from {_folder}: {exception.Message}", exception)
            {
                Target = file,
                RecommendedAction = "Check the folder's permissions.",
            };
        }
    }

    /// <summary>The file for a path from the database, which must stay within the folder.</summary>
    private string FileOf(string path)
    {
        var file = Path.GetFullPath(path, _folder);
        return file.StartsWith(_folder + Path.DirectorySeparatorChar, StringComparison.Ordinal)
            ? file
            : throw new AmpException("ManifestNotFound", AmpErrorKind.InvalidInput, $"'{path}' is not a path within {_folder}.") { Target = path };
    }
}
