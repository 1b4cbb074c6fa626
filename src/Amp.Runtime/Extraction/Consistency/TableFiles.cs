using Amp.Storage;

namespace Amp.Extraction.Consistency;

/// <summary>The files of a table's folder, held against those that rows name.</summary>
/// <param name="Temporary">Files that were never finished.</param>
/// <param name="Unnamed">Finished files that no row names: what an interrupted commit left.</param>
/// <param name="WrongSize">Files that have another size than their rows say, with that size.</param>
/// <param name="Missing">Names of files that rows name and that are not there.</param>
internal sealed record TableFiles(
    IReadOnlyList<StoredFile> Temporary,
    IReadOnlyList<StoredFile> Unnamed,
    IReadOnlyList<(StoredFile File, long Expected)> WrongSize,
    IReadOnlyCollection<string> Missing)
{
    /// <summary>Looks into a folder; one that is not there has no files.</summary>
    /// <param name="store">The data folder.</param>
    /// <param name="path">The table's folder in it.</param>
    /// <param name="named">Names and sizes of the files that rows name; a null size fits any.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<TableFiles> CompareAsync(
        SegmentStore store, string path, IEnumerable<(string Name, long? Size)> named, CancellationToken cancellationToken)
    {
        var expected = named.ToDictionary(file => file.Name, file => file.Size, StringComparer.Ordinal);
        var unnamed = new List<StoredFile>();
        var wrongSize = new List<(StoredFile, long)>();
        foreach (var file in await store.ListAsync(path, temporary: false, cancellationToken))
        {
            if (!expected.Remove(Path.GetFileName(file.RelativePath), out var size))
            {
                unnamed.Add(file);
            }
            else if (size is { } bytes && bytes != file.Size)
            {
                wrongSize.Add((file, bytes));
            }
        }

        return new TableFiles(await store.ListAsync(path, temporary: true, cancellationToken), unnamed, wrongSize, expected.Keys);
    }
}
