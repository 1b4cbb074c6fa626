using System.Globalization;
using System.Runtime.CompilerServices;
using Amp.Configuration;
using Amp.Datasets;
using Amp.Extraction.Consistency;
using Amp.Extraction.EvmRpc;
using Amp.Extraction.Rows;
using Amp.MetadataDb;
using Amp.Parquet;
using Amp.Storage;

namespace Amp.Hosting;

/// <summary>The tables of a deployment, where cmdlets look at the files themselves.</summary>
public sealed class AmpTables
{
    private readonly AmpConfiguration _configuration;
    private readonly MetadataDatabase _database;
    private readonly IAmpClient _client;
    private readonly ManifestStore _manifests;
    private readonly SegmentStore _store;
    private readonly TableInspector _inspector;
    private readonly TableRestorer _restorer;

    internal AmpTables(AmpConfiguration configuration, MetadataDatabase database, IAmpClient client)
    {
        _configuration = configuration;
        _database = database;
        _client = client;
        _manifests = new ManifestStore(configuration.ManifestsDir);
        _store = new SegmentStore(configuration.DataDir);
        _inspector = new TableInspector(_store);
        _restorer = new TableRestorer(_store, database);
    }

    /// <summary>The columns of the tables that jobs write, in their order.</summary>
    public static IReadOnlyList<(string Table, string Column)> Columns { get; } =
        [.. EvmTables.All.SelectMany(table => table.Fields.Select(field => (table.Name, field.Name)))];

    /// <summary>The files of a table's active revision, by first block.</summary>
    /// <param name="table">The table, as <see cref="IAmpClient.GetTablesAsync"/> gave it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async IAsyncEnumerable<AmpFile> GetFilesAsync(AmpTable table, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var file in await _database.Files.ListAsync(table, cancellationToken))
        {
            yield return file with { FullName = Path.Combine(_store.Root, file.FullName) };
        }
    }

    /// <summary>A file with the number of its rows, read from its footer.</summary>
    /// <param name="file">The file.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException"><c>StorageFailed</c> when the file cannot be opened; errors of a footer that cannot be read.</exception>
    public async Task<AmpFile> WithRowCountAsync(AmpFile file, CancellationToken cancellationToken)
    {
        await using var content = _store.OpenRead(Path.GetRelativePath(_store.Root, file.FullName));
        var footer = await ParquetFooter.ReadAsync(content, file.FullName, cancellationToken);
        return file with { RowCount = footer.RowCount };
    }

    /// <summary>
    /// Reads the rows of a table's canonical files, by block and place in it; only files that may have wanted rows are opened, and none
    /// before its rows are asked for.
    /// </summary>
    /// <param name="table">The table, as <see cref="IAmpClient.GetTablesAsync"/> gave it.</param>
    /// <param name="selection">Which rows and columns.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="AmpException">As for <see cref="SegmentRows"/>.</exception>
    public async IAsyncEnumerable<TableRow> ReadRowsAsync(
        AmpTable table, RowSelection selection, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var paths = await GetFilesAsync(table, cancellationToken)
            .Where(file => file.IsCanonical && selection.MayBeIn(file.StartBlock, file.EndBlock))
            .Select(file => file.FullName).ToListAsync(cancellationToken);
        await foreach (var row in SegmentRows.ReadAsync(table.Dataset, table.Table, paths, selection, cancellationToken))
        {
            yield return row;
        }
    }

    /// <summary>Holds a table's rows, files and links against each other. Changes nothing.</summary>
    /// <param name="table">The table.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="progress">Is told how many of the table's files are done, from any thread; null for nobody.</param>
    /// <exception cref="AmpException"><c>ManifestNotFound</c> and others of <see cref="ManifestStore"/>; errors of the database.</exception>
    public async Task<AmpTableTest> TestAsync(AmpTable table, CancellationToken cancellationToken, IProgress<(int Done, int All)>? progress = null)
    {
        if (table.LocationId is not { } locationId)
        {
            return new AmpTableTest { Dataset = table.Dataset, Table = table.Table, ManifestHash = table.ManifestHash };
        }

        var manifest = await ReadManifestAsync(table.ManifestHash, cancellationToken);
        var isBeingWritten = await FindActiveJobAsync(DatasetReference.Parse(table.Dataset), table.ManifestHash, cancellationToken) is not null;
        var rows = await _database.Files.ListAsync(locationId, cancellationToken);
        return await _inspector.InspectAsync(table, rows, manifest.StartBlock, isBeingWritten, cancellationToken, progress);
    }

    /// <summary>
    /// Takes files that are missing or damaged out of their tables and starts the job that extracts what is lacking, up to
    /// where the tables reached.
    /// </summary>
    /// <param name="tests">What is wrong with tables of one manifest, as <see cref="TestAsync"/> found.</param>
    /// <param name="worker">Worker to use, as for <see cref="StartJobRequest.Worker"/>; null for the least loaded one.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException">
    /// <c>TableInUse</c> when an active job writes the tables; <c>NoActiveWorker</c>, <c>WorkerNotFound</c>, <c>ProviderNotFound</c>;
    /// nothing was changed then.
    /// </exception>
    public async Task<AmpJob> RepairAsync(IReadOnlyList<AmpTableTest> tests, string? worker, CancellationToken cancellationToken)
    {
        var dataset = DatasetReference.Parse($"{tests[0].Dataset}@{tests[0].ManifestHash}");
        var manifest = await ReadManifestAsync(tests[0].ManifestHash, cancellationToken);
        await RequireIdleAsync(dataset, tests[0].ManifestHash, cancellationToken);
        await Providers.RequireForNetworkAsync(_configuration, manifest.Kind, manifest.Network, cancellationToken);
        await new JobScheduler(_database).ChooseAsync(worker, cancellationToken);
        long[] damaged = [.. tests.SelectMany(test => test.Problems)
            .Where(problem => problem.Kind is AmpTableProblemKind.FileMissing or AmpTableProblemKind.FileSize or AmpTableProblemKind.FileInvalid)
            .Select(problem => problem.FileId).OfType<long>()];
        var end = tests.Max(test => test.HighestBlock) ?? manifest.StartBlock;

        // Checkpoint: from here on a job extracts the blocks of the files again, this one or any later one.
        await _database.Files.RemoveAsync(damaged, cancellationToken);
        return await _client.StartJobAsync(
            new StartJobRequest(dataset, end.ToString(CultureInfo.InvariantCulture)) { Worker = worker }, cancellationToken);
    }

    /// <summary>Finds the folders that tables of a dataset can be restored from.</summary>
    /// <param name="dataset">The dataset, as it is registered.</param>
    /// <param name="isWanted">Chooses among the tables of its manifest.</param>
    /// <param name="path">
    /// The folder, whole or relative to the data folder, in which it must be; null to look for the one folder with files that each
    /// table has.
    /// </param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException">
    /// <c>DatasetNotFound</c>; <c>TableFolderNotFound</c>; <c>TableFolderAmbiguous</c>; <c>StoragePathInvalid</c>; <c>TableInUse</c>.
    /// </exception>
    public async Task<IReadOnlyList<RestorableTable>> FindRestorableAsync(
        DatasetReference dataset, Func<string, bool> isWanted, string? path, CancellationToken cancellationToken)
    {
        var (hash, manifest) = await ResolveAsync(dataset, cancellationToken);
        await RequireIdleAsync(dataset, hash, cancellationToken);
        string[] tables = [.. manifest.Tables.Select(table => table.Name).Where(isWanted)];
        if (path is not null)
        {
            var relative = Path.IsPathRooted(path) ? Path.GetRelativePath(_store.Root, path) : path;
            return tables is [var one]
                ? [await _restorer.FindAtAsync(relative.Replace(Path.DirectorySeparatorChar, '/').TrimEnd('/'), one, cancellationToken)]
                : throw new AmpException("TableRequired", AmpErrorKind.InvalidInput, $"{path} is the folder of one table, and {tables.Length} tables were asked for.")
                {
                    Target = path,
                    RecommendedAction = $"Say which table it is with -Table: {string.Join(", ", manifest.Tables.Select(table => table.Name))}.",
                };
        }

        var found = new List<RestorableTable>();
        foreach (var table in tables)
        {
            found.Add(await _restorer.FindAsync(dataset.Name, table, cancellationToken));
        }

        return found;
    }

    /// <summary>Registers the files of a folder as a table of a dataset, all or none.</summary>
    /// <param name="dataset">The dataset, as it is registered.</param>
    /// <param name="folder">The folder, as <see cref="FindRestorableAsync"/> found it.</param>
    /// <param name="overwrite">Whether it takes the place of another folder that the table has files in.</param>
    /// <param name="cancellationToken">Gives up; nothing is registered then.</param>
    /// <param name="progress">Is told how many of the files are done; null for nobody.</param>
    /// <returns>The table, and an error for each file that is no segment of it and was left out.</returns>
    /// <exception cref="AmpException"><c>TableAlreadyRegistered</c>; errors of the database.</exception>
    public async Task<(AmpTable Table, IReadOnlyList<AmpException> Refused)> RestoreAsync(
        DatasetReference dataset, RestorableTable folder, bool overwrite, CancellationToken cancellationToken, IProgress<(int Done, int All)>? progress = null)
    {
        var (hash, manifest) = await ResolveAsync(dataset, cancellationToken);
        var refused = await _restorer.RestoreAsync(dataset, hash, manifest.Network, folder, overwrite, cancellationToken, progress);
        var tables = await _database.PhysicalTables.ListAsync(dataset.Namespace, dataset.Name, hash, cancellationToken);
        return (tables.Single(table => table.Table == folder.Table), refused);
    }

    private async Task<(string Hash, RawManifest Manifest)> ResolveAsync(DatasetReference dataset, CancellationToken cancellationToken)
    {
        var hash = await _database.Manifests.ResolveAsync(dataset.Namespace, dataset.Name, dataset.Version, cancellationToken);
        return (hash, await ReadManifestAsync(hash, cancellationToken));
    }

    private async Task<RawManifest> ReadManifestAsync(string hash, CancellationToken cancellationToken) =>
        await _manifests.ReadAsync(hash, (await _database.Manifests.FindAsync(hash, cancellationToken))?.Path, cancellationToken);

    private async Task RequireIdleAsync(DatasetReference dataset, string manifestHash, CancellationToken cancellationToken)
    {
        if (await FindActiveJobAsync(dataset, manifestHash, cancellationToken) is { } job)
        {
            throw JobErrors.TableInUse(job.JobId);
        }
    }

    private async Task<AmpJob?> FindActiveJobAsync(DatasetReference dataset, string manifestHash, CancellationToken cancellationToken)
    {
        var active = await _database.Jobs.ListAsync(
            new JobFilter { DatasetNamespace = dataset.Namespace, DatasetName = dataset.Name, Statuses = JobStatusText.Active }, cancellationToken);
        return active.Find(job => job.Descriptor?.ManifestHash == manifestHash);
    }
}
