using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Amp.Extraction.DevChains;

/// <summary>A recorded block with its receipts, checked to belong together.</summary>
internal sealed class Recording
{
    private const string BlockSuffix = ".block.json";
    private const string ReceiptsSuffix = ".receipts.json";

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdefABCDEF");

    private Recording(JsonElement block, JsonElement receipts, string path)
    {
        Number = Quantity(block, "number", path);
        var transactions = List(Property(block, "transactions", path), path);
        var hashes = List(receipts, path).Select(receipt => HashIn(receipt, "transactionHash", path));
        TransactionHashes = [.. transactions.Select(transaction => HashIn(transaction, "hash", path))];
        if (!TransactionHashes.SequenceEqual(hashes))
        {
            throw Invalid(path, "the receipts are not those of the block's transactions, one for each in the same order");
        }

        // These four are written anew for every replay.
        HashIn(block, "hash", path);
        HashIn(block, "parentHash", path);
        Quantity(block, "timestamp", path);

        ChainId = transactions.Where(transaction => transaction.TryGetProperty("chainId", out var id) && id.ValueKind == JsonValueKind.String)
            .Select(transaction => (ulong?)Quantity(transaction, "chainId", path)).FirstOrDefault();
        Block = new RecordedDocument(Compact(block), "transactions");
        Receipts = new RecordedDocument(Compact(receipts), null);
    }

    /// <summary>The number it was recorded with.</summary>
    public ulong Number { get; }

    /// <summary>The chain id its first transaction that names one names.</summary>
    public ulong? ChainId { get; }

    /// <summary>Hashes of its transactions as recorded.</summary>
    public Hash32[] TransactionHashes { get; }

    /// <summary>The block with full transactions.</summary>
    public RecordedDocument Block { get; }

    /// <summary>The array of receipts.</summary>
    public RecordedDocument Receipts { get; }

    /// <summary>Reads one recording (a file) or all of a folder, in the order of their numbers.</summary>
    /// <exception cref="AmpException"><c>ReplayNotFound</c>, <c>ReplayInvalid</c>.</exception>
    public static async Task<Recording[]> LoadAllAsync(string path, CancellationToken cancellationToken)
    {
        var files = Directory.Exists(path) ? Directory.GetFiles(path, $"*{BlockSuffix}") : File.Exists(path) ? [path] : [];
        if (files.Length == 0)
        {
            throw new AmpException(
                "ReplayNotFound", AmpErrorKind.NotFound, $"cannot replay recorded blocks: no file or folder '{path}' with NAME{BlockSuffix} is there")
            {
                Target = path,
                RecommendedAction = $"Name a file NAME{BlockSuffix} that has NAME{ReceiptsSuffix} beside it, or a folder of such pairs.",
            };
        }

        var recordings = new List<Recording>();
        foreach (var file in files)
        {
            recordings.Add(await LoadAsync(file, cancellationToken));
        }

        return [.. recordings.OrderBy(recording => recording.Number)];
    }

    private static async Task<Recording> LoadAsync(string blockPath, CancellationToken cancellationToken)
    {
        if (!blockPath.EndsWith(BlockSuffix, StringComparison.Ordinal))
        {
            throw Invalid(blockPath, $"its name does not end with {BlockSuffix}");
        }

        using var block = await ParseAsync(blockPath, cancellationToken);
        using var receipts = await ParseAsync(blockPath[..^BlockSuffix.Length] + ReceiptsSuffix, cancellationToken);
        return new Recording(Result(block), Result(receipts), blockPath);
    }

    private static async Task<JsonDocument> ParseAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = File.OpenRead(path);
            return await JsonDocument.ParseAsync(stream, default, cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            throw Invalid(path, exception.Message, exception);
        }
    }

    // A recording may be the whole answer or only its result.
    private static JsonElement Result(JsonDocument document) =>
        document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("result", out var result)
            ? result
            : document.RootElement;

    private static byte[] Compact(JsonElement element)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(output, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            element.WriteTo(writer);
        }

        return output.WrittenSpan.ToArray();
    }

    private static JsonElement Property(JsonElement element, string name, string path) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value)
            ? value
            : throw Invalid(path, $"it lacks '{name}'");

    private static JsonElement[] List(JsonElement element, string path) =>
        element.ValueKind == JsonValueKind.Array ? [.. element.EnumerateArray()] : throw Invalid(path, "an array is expected where none is");

    private static string Hex(JsonElement element, string name, string path)
    {
        var value = Property(element, name, path);
        return value.ValueKind == JsonValueKind.String && value.GetString() is ['0', 'x', _, ..] text
            && text.AsSpan(2).IndexOfAnyExcept(HexDigits) < 0
            ? text[2..]
            : throw Invalid(path, $"'{name}' is not a hex string");
    }

    private static ulong Quantity(JsonElement element, string name, string path) =>
        ulong.TryParse(Hex(element, name, path), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw Invalid(path, $"'{name}' has more than 64 bits");

    private static Hash32 HashIn(JsonElement element, string name, string path)
    {
        var digits = Hex(element, name, path);
        return digits.Length == 64 ? Hash32.Parse("0x" + digits) : throw Invalid(path, $"'{name}' is not a hash of 32 bytes");
    }

    private static AmpException Invalid(string path, string reason, Exception? innerException = null) =>
        new("ReplayInvalid", AmpErrorKind.InvalidData, $"cannot replay the recorded block '{path}': {reason}", innerException)
        {
            Target = path,
            RecommendedAction = "Record the block again: eth_getBlockByNumber with full transactions, and eth_getBlockReceipts.",
        };
}
