using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Amp.Parquet;

/// <summary>The blocks of one network that a segment covers.</summary>
/// <param name="Start">First block.</param>
/// <param name="End">Last block.</param>
/// <param name="Network">Name of the network.</param>
/// <param name="Hash">Hash of the last block, <c>0x</c> and 64 hex digits.</param>
/// <param name="PrevHash">Hash of the block before the first; all zero before a chain's first block.</param>
/// <param name="Timestamp">Time of the last block in seconds since 1970; null where it was not kept.</param>
internal sealed record SegmentRange(ulong Start, ulong End, string Network, string Hash, string PrevHash, ulong? Timestamp = null);

/// <summary>
/// What a segment says of itself: the JSON of <c>nozzle_metadata</c> in its footer and of
/// <c>file_metadata.metadata</c> in the database, in the form that ampd writes.
/// </summary>
/// <param name="Table">The table's name.</param>
/// <param name="FileName">Name of the file, without folder.</param>
/// <param name="CreatedAt">When it was written.</param>
/// <param name="Ranges">The blocks it covers; one range today.</param>
internal sealed record ParquetMeta(string Table, string FileName, DateTimeOffset CreatedAt, IReadOnlyList<SegmentRange> Ranges)
{
    /// <summary>The footer's key for this.</summary>
    public const string MetadataKey = "nozzle_metadata";

    /// <summary>The footer's key for the ids of the files that were compacted into this one.</summary>
    public const string ParentFileIdsKey = "parent_file_ids";

    /// <summary>The footer's key for the number of compactions behind this file.</summary>
    public const string GenerationKey = "generation";

    private const long NanosecondsPerTick = 100;

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdefABCDEF");

    private static readonly JsonWriterOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A new name for a segment: its first block in nine digits or more, and 16 random hex digits.</summary>
    public static string NewFileName(ulong startBlock)
    {
        var suffix = RandomNumberGenerator.GetHexString(16, lowercase: true);
        return string.Create(CultureInfo.InvariantCulture, $"{startBlock:D9}-{suffix}.parquet");
    }

    /// <summary>The footer's key-values of a segment that no compaction made.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> ToKeyValueMetadata() =>
    [
        new(MetadataKey, Serialize()),
        new(ParentFileIdsKey, "[]"),
        new(GenerationKey, "0"),
    ];

    /// <summary>The JSON.</summary>
    public string Serialize()
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, JsonOptions))
        {
            var sinceEpoch = CreatedAt.UtcTicks - DateTimeOffset.UnixEpoch.Ticks;
            json.WriteStartObject();
            json.WriteString("table", Table);
            json.WriteString("filename", FileName);
            json.WriteStartObject("created_at");
            json.WriteNumber("secs", sinceEpoch / TimeSpan.TicksPerSecond);
            json.WriteNumber("nanos", sinceEpoch % TimeSpan.TicksPerSecond * NanosecondsPerTick);
            json.WriteEndObject();
            json.WriteStartArray("ranges");
            foreach (var range in Ranges)
            {
                json.WriteStartObject();
                json.WriteStartObject("numbers");
                json.WriteNumber("start", range.Start);
                json.WriteNumber("end", range.End);
                json.WriteEndObject();
                json.WriteString("network", range.Network);
                json.WriteString("hash", range.Hash);
                json.WriteString("prev_hash", range.PrevHash);
                if (range.Timestamp is { } timestamp)
                {
                    json.WriteNumber("timestamp", timestamp);
                }

                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.GetBuffer().AsSpan(0, (int)stream.Length));
    }

    /// <summary>Reads the JSON, ampd's included. What is not of this form is refused as <c>SegmentMetadataInvalid</c>.</summary>
    public static ParquetMeta Parse(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            var createdAt = root.GetProperty("created_at");
            return new ParquetMeta(
                Text(root, "table"),
                Text(root, "filename"),
                DateTimeOffset.UnixEpoch
                    .AddTicks((createdAt.GetProperty("secs").GetInt64() * TimeSpan.TicksPerSecond) + (createdAt.GetProperty("nanos").GetInt64() / NanosecondsPerTick)),
                [.. root.GetProperty("ranges").EnumerateArray().Select(ParseRange)]);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentOutOfRangeException)
        {
            throw new AmpException("SegmentMetadataInvalid", AmpErrorKind.InvalidData, $"The metadata of a segment cannot be read: {e.Message}", e)
            {
                Target = json,
            };
        }
    }

    private static SegmentRange ParseRange(JsonElement range)
    {
        var numbers = range.GetProperty("numbers");
        return new SegmentRange(
            numbers.GetProperty("start").GetUInt64(),
            numbers.GetProperty("end").GetUInt64(),
            Text(range, "network"),
            Hash(range, "hash"),
            Hash(range, "prev_hash"),
            range.TryGetProperty("timestamp", out var timestamp) && timestamp.ValueKind == JsonValueKind.Number ? timestamp.GetUInt64() : null);
    }

    private static string Text(JsonElement element, string name) =>
        element.GetProperty(name).GetString() ?? throw new FormatException($"{name} is null");

    private static string Hash(JsonElement element, string name)
    {
        var hash = Text(element, name);
        return hash.Length == 66 && hash.StartsWith("0x", StringComparison.Ordinal) && hash.AsSpan(2).IndexOfAnyExcept(HexDigits) < 0
            ? hash
            : throw new FormatException($"{name} is not 0x and 64 hex digits: {hash}");
    }
}
