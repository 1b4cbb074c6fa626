using System.Buffers;
using System.Globalization;
using System.Text.Json;

namespace Amp.Extraction.DevChains;

/// <summary>The positional parameters of a call, checked as they are taken; what is wrong throws <see cref="RpcError"/>.</summary>
internal readonly struct Parameters
{
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdefABCDEF");

    private readonly JsonElement _array;
    private readonly int _count;

    private Parameters(JsonElement array, int count)
    {
        _array = array;
        _count = count;
    }

    public static Parameters Of(JsonElement call)
    {
        if (!call.TryGetProperty("params", out var parameters) || parameters.ValueKind == JsonValueKind.Null)
        {
            return default;
        }

        return parameters.ValueKind == JsonValueKind.Array
            ? new Parameters(parameters, parameters.GetArrayLength())
            : throw new RpcError(-32602, "non-array args");
    }

    /// <summary>Reads a quantity of up to 64 bits.</summary>
    public static ulong Number(string quantity) =>
        quantity.StartsWith("0x", StringComparison.Ordinal)
        && ulong.TryParse(quantity.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw RpcError.InvalidArgument(0, $"\"{quantity}\" is neither a block number in hex nor a tag");

    public bool IsHash(int position) => Text(position).Length == 66;

    public string Tag(int position) => Text(position);

    public bool Flag(int position) => Required(position) switch
    {
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        _ => throw RpcError.InvalidArgument(position, "not a boolean"),
    };

    public Hash32 Hash(int position)
    {
        var text = Text(position);
        return text.Length == 66 && text.StartsWith("0x", StringComparison.Ordinal) && text.AsSpan(2).IndexOfAnyExcept(HexDigits) < 0
            ? Hash32.Parse(text)
            : throw RpcError.InvalidArgument(position, "not a hash of 32 bytes in hex");
    }

    // An escaped half of a surrogate pair is JSON, but no text.
    private string Text(int position)
    {
        try
        {
            return Required(position) is { ValueKind: JsonValueKind.String } value
                ? value.GetString()!
                : throw RpcError.InvalidArgument(position, "not a string");
        }
        catch (InvalidOperationException)
        {
            throw RpcError.InvalidArgument(position, "not a text");
        }
    }

    private JsonElement Required(int position) => position < _count ? _array[position] : throw RpcError.MissingArgument(position);
}
