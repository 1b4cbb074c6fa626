using Amp.Datasets;
using Amp.MetadataDb;
using Amp.Parquet;
using Amp.Storage;

namespace Amp.Extraction.Consistency;

/// <summary>A folder of files that can become a table again.</summary>
/// <param name="Table">The table.</param>
/// <param name="Path">The folder, relative to the data folder.</param>
/// <param name="FilesCount">Number of files in it.</param>
public sealed record RestorableTable(string Table, string Path, int FilesCount);

/// <summary>Makes tables of files that the database does not know, from what the files' footers say.</summary>
internal sealed class TableRestorer(SegmentStore store, MetadataDatabase database)
{
    private const int FootersAtOnce = 8;
    private const int RowsAtOnce = 500;

    /// <summary>Finds the one folder that holds a table's files.</summary>
    /// <exception cref="AmpException"><c>TableFolderNotFound</c>; <c>TableFolderAmbiguous</c> when there are several.</exception>
    public async Task<RestorableTable> FindAsync(string datasetName, string table, CancellationToken cancellationToken)
    {
        var found = new List<RestorableTable>();
        foreach (var folder in await store.ListFoldersAsync($"{datasetName}/{table}", cancellationToken))
        {
            if (await CountAsync(folder, cancellationToken) is > 0 and var count)
            {
                found.Add(new RestorableTable(table, folder, count));
            }
        }

        return found switch
        {
            [var one] => one,
            [] => throw NotFound(table, $"No folder below {store.Resolve($"{datasetName}/{table}")} has Parquet files."),
            _ => throw new AmpException(
                "TableFolderAmbiguous", AmpErrorKind.InvalidInput,
                $"Table {table} has {found.Count} folders with files: {string.Join(", ", found.Select(folder => $"{folder.Path} ({folder.FilesCount} files)"))}.")
            {
                Target = table,
                RecommendedAction = "Say which one with -Path, and -Table where the dataset has several tables.",
            },
        };
    }

    /// <summary>Looks into the folder that was named.</summary>
    /// <exception cref="AmpException"><c>TableFolderNotFound</c>; <c>StoragePathInvalid</c>.</exception>
    public async Task<RestorableTable> FindAtAsync(string path, string table, CancellationToken cancellationToken) =>
        await CountAsync(path, cancellationToken) is > 0 and var count
            ? new RestorableTable(table, path, count)
            : throw NotFound(table, $"{store.Resolve(path)} has no Parquet files.");

    /// <summary>
    /// Makes a folder the active revision of its table and registers its files, in one transaction. Files that are no
    /// segments of the table are left out and given back as errors.
    /// </summary>
    public async Task<IReadOnlyList<AmpException>> RestoreAsync(
        DatasetReference dataset, string manifestHash, string network, RestorableTable folder, bool overwrite, CancellationToken cancellationToken,
        IProgress<(int Done, int All)>? progress)
    {
        var refused = new List<AmpException>();
        await using var transaction = await database.BeginAsync(cancellationToken);
        await using var connection = transaction.Connection!;
        var locationId = await database.PhysicalTables.ActivateAsync(
            dataset.Namespace, dataset.Name, manifestHash, folder.Table, folder.Path, overwrite, transaction, cancellationToken);
        var done = 0;
        foreach (var files in (await ListAsync(folder.Path, cancellationToken)).Chunk(RowsAtOnce))
        {
            var read = new (NewFile? File, AmpException? Error)[files.Length];
            await Parallel.ForAsync(
                0, files.Length, new ParallelOptions { MaxDegreeOfParallelism = FootersAtOnce, CancellationToken = cancellationToken },
                async (i, token) =>
                {
                    read[i] = await ReadAsync(files[i], folder.Table, network, locationId, token);
                    progress?.Report((Interlocked.Increment(ref done), folder.FilesCount));
                });
            refused.AddRange(read.Select(file => file.Error).OfType<AmpException>());
            await database.Files.RegisterAsync([.. read.Select(file => file.File).OfType<NewFile>()], transaction, cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
        return refused;
    }

    private async Task<(NewFile? File, AmpException? Error)> ReadAsync(
        Storage.StoredFile file, string table, string network, long locationId, CancellationToken cancellationToken)
    {
        try
        {
            var name = Path.GetFileName(file.RelativePath);
            await using var content = store.OpenRead(file.RelativePath);
            var (footer, cached) = await ParquetFooter.ReadForCacheAsync(content, file.RelativePath, cancellationToken);
            if (!footer.KeyValueMetadata.TryGetValue(ParquetMeta.MetadataKey, out var json))
            {
                throw NotASegment(file, $"its footer has no {ParquetMeta.MetadataKey}");
            }

            var meta = ParquetMeta.Parse(json);
            var fault = meta.Table != table ? $"it is of table {meta.Table}"
                : meta.FileName != name ? $"it was written as {meta.FileName}"
                : meta.Ranges is not [var range] ? $"it has {meta.Ranges.Count} ranges of blocks"
                : range.Network != network ? $"it is of network {range.Network}, and the dataset of {network}"
                : null;
            return fault is null
                ? (new NewFile
                {
                    LocationId = locationId,
                    FileName = name,
                    MetadataJson = json,
                    Size = content.Length,
                    Url = new Uri(file.FullPath).AbsoluteUri,
                    Footer = cached,
                }, null)
                : throw NotASegment(file, fault);
        }
        catch (AmpException e)
        {
            return (null, e);
        }
    }

    private async Task<int> CountAsync(string path, CancellationToken cancellationToken) => (await ListAsync(path, cancellationToken)).Count;

    private async Task<List<Storage.StoredFile>> ListAsync(string path, CancellationToken cancellationToken) =>
        [.. (await store.ListAsync(path, temporary: false, cancellationToken)).Where(file => file.RelativePath.EndsWith(".parquet", StringComparison.Ordinal))];

    private static AmpException NotFound(string table, string message) => new("TableFolderNotFound", AmpErrorKind.NotFound, message)
    {
        Target = table,
        RecommendedAction = "Check data_dir in the configuration, or say where the files are with -Path.",
    };

    private static AmpException NotASegment(Storage.StoredFile file, string reason) => new(
        "FileNotRestorable", AmpErrorKind.InvalidData, $"{file.RelativePath} was left out: {reason}.")
    {
        Target = file.RelativePath,
        RecommendedAction = "Nothing has to be done: a job of the dataset removes the file and extracts its blocks again where they are missing.",
    };
}
