using System.Buffers;
using System.Text.Json;

namespace Amp.Extraction.DevChains;

/// <summary>Writes JSON values as Ethereum nodes do: lower-case hex strings.</summary>
internal static class HexJson
{
    /// <summary>Writes a quantity: <c>"0x0"</c>, <c>"0x41"</c>, no leading zeros.</summary>
    public static void WriteQuantity(this IBufferWriter<byte> output, UInt128 value)
    {
        Span<byte> digits = stackalloc byte[32];
        value.TryFormat(digits, out var count, "x", null);
        output.Write("\"0x"u8);
        output.Write(digits[..count]);
        output.Write("\""u8);
    }

    /// <summary>Writes a quantity given big endian; its leading zeros are dropped.</summary>
    public static void WriteQuantity(this IBufferWriter<byte> output, ReadOnlySpan<byte> bigEndian)
    {
        Span<byte> digits = stackalloc byte[bigEndian.Length * 2];
        Convert.TryToHexStringLower(bigEndian, digits, out _);
        var significant = digits.TrimStart((byte)'0');
        output.Write("\"0x"u8);
        output.Write(significant.IsEmpty ? "0"u8 : significant);
        output.Write("\""u8);
    }

    /// <summary>Writes bytes, two digits each; null as <c>null</c>.</summary>
    public static void WriteData(this IBufferWriter<byte> output, byte[]? bytes)
    {
        if (bytes is null)
        {
            output.Write("null"u8);
        }
        else
        {
            output.WriteData(bytes.AsSpan());
        }
    }

    /// <summary>Writes bytes, two digits each.</summary>
    public static void WriteData(this IBufferWriter<byte> output, ReadOnlySpan<byte> bytes)
    {
        var length = (bytes.Length * 2) + 4;
        var target = output.GetSpan(length);
        "\"0x"u8.CopyTo(target);
        Convert.TryToHexStringLower(bytes, target[3..], out _);
        target[length - 1] = (byte)'"';
        output.Advance(length);
    }

    /// <summary>Writes a hash.</summary>
    public static void WriteData(this IBufferWriter<byte> output, Hash32 hash)
    {
        Span<byte> bytes = stackalloc byte[32];
        hash.CopyTo(bytes);
        output.WriteData(bytes);
    }

    /// <summary>Writes any text as a JSON string.</summary>
    public static void WriteText(this IBufferWriter<byte> output, string text)
    {
        output.Write("\""u8);
        output.Write(JsonEncodedText.Encode(text).EncodedUtf8Bytes);
        output.Write("\""u8);
    }
}
