using System.Globalization;

namespace Amp.MetadataDb;

/// <summary>Names and rows that database tests share.</summary>
internal static class TestData
{
    public static readonly string ManifestHash = new('a', 64);

    public static readonly AmpBuildInfo Build = new(
        "v0.1.0", "8b065bde", DateTimeOffset.Parse("2025-01-15T14:30:00Z", CultureInfo.InvariantCulture), DateTimeOffset.Parse("2025-01-15T15:45:30Z", CultureInfo.InvariantCulture));

    public static AmpJobDescriptor Descriptor(string name = "mainnet", string? endBlock = "100") => new()
    {
        Kind = "materialize-raw",
        EndBlock = endBlock,
        DatasetNamespace = "ethereum",
        DatasetName = name,
        ManifestHash = ManifestHash,
    };

    public static string Hash(ulong block, int branch = 0) => $"0x{block:x32}{branch:x32}";

    public static NewFile File(long locationId, ulong start, ulong end, int branch = 0, long createdAt = 1_700_000_000, string table = "logs")
    {
        var name = $"{start:d9}-{branch:x16}.parquet";
        return new NewFile
        {
            LocationId = locationId,
            FileName = name,
            MetadataJson = $$"""
                {"table":"{{table}}","filename":"{{name}}","created_at":{"secs":{{createdAt}},"nanos":5},
                 "ranges":[{"numbers":{"start":{{start}},"end":{{end}}},"network":"mainnet","hash":"{{Hash(end, branch)}}",
                 "prev_hash":"{{(start == 0 ? Hash(0, 999) : Hash(start - 1))}}"}]}
                """,
            Size = 1000,
            Url = $"file:///data/{name}",
            Footer = new byte[] { 1, 2, 3 },
        };
    }
}
