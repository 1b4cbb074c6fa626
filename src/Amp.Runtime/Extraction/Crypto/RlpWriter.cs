using System.Buffers.Binary;
using System.Numerics;

namespace Amp.Extraction.Crypto;

/// <summary>
/// Writes Recursive Length Prefix, Ethereum's encoding of byte strings and nested lists, into a buffer of its own that
/// is used again after <see cref="Truncate"/>. Not for use by several threads.
/// </summary>
internal sealed class RlpWriter(int capacity = 1024)
{
    // Up to this length the prefix is one byte that holds the length itself.
    private const int LongestShort = 55;
    private const byte StringPrefix = 0x80;
    private const byte ListPrefix = 0xc0;

    private byte[] _buffer = new byte[capacity];

    /// <summary>Bytes written so far.</summary>
    public int Length { get; private set; }

    /// <summary>What was written; valid until the next write.</summary>
    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, Length);

    /// <summary>Bytes that a list takes whose items take <paramref name="contentLength"/> bytes.</summary>
    public static int LengthOfList(int contentLength) => PrefixLength(contentLength) + contentLength;

    /// <summary>Bytes that a byte string takes; exact for all but the single bytes below 0x80, which take no prefix.</summary>
    public static int LengthOfString(int length) => PrefixLength(length) + length;

    /// <summary>Forgets what was written after the first <paramref name="length"/> bytes.</summary>
    public void Truncate(int length = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
    }

    /// <summary>Writes a byte string.</summary>
    public void WriteBytes(ReadOnlySpan<byte> value)
    {
        if (value.Length != 1 || value[0] >= StringPrefix)
        {
            WritePrefix(StringPrefix, value.Length);
        }

        WriteRaw(value);
    }

    /// <summary>Writes a hash as a byte string.</summary>
    public void WriteHash(Hash32 value)
    {
        Span<byte> bytes = stackalloc byte[Keccak256.HashLength];
        value.CopyTo(bytes);
        WriteBytes(bytes);
    }

    /// <summary>Writes a number: big endian without leading zeros, zero as the empty string.</summary>
    public void WriteNumber(UInt128 value)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, value);
        WriteNumber(bytes);
    }

    /// <summary>Writes a number of any size that is given big endian, with or without leading zeros.</summary>
    public void WriteNumber(ReadOnlySpan<byte> bigEndian)
    {
        var start = bigEndian.IndexOfAnyExcept((byte)0);
        WriteBytes(start < 0 ? [] : bigEndian[start..]);
    }

    /// <summary>Opens a list; what is written until <see cref="EndList"/> are its items.</summary>
    /// <returns>What <see cref="EndList"/> must be given.</returns>
    public int BeginList() => Length;

    /// <summary>Closes the list that <see cref="BeginList"/> opened.</summary>
    public void EndList(int start)
    {
        var contentLength = Length - start;
        var prefixLength = PrefixLength(contentLength);
        Reserve(prefixLength);
        _buffer.AsSpan(start, contentLength).CopyTo(_buffer.AsSpan(start + prefixLength));
        Length = start;
        WritePrefix(ListPrefix, contentLength);
        Length += contentLength;
    }

    /// <summary>Writes bytes as they stand: an item that is encoded already, or a transaction's type byte.</summary>
    public void WriteRaw(ReadOnlySpan<byte> encoded)
    {
        Reserve(encoded.Length);
        encoded.CopyTo(_buffer.AsSpan(Length));
        Length += encoded.Length;
    }

    private static int PrefixLength(int length) => length <= LongestShort ? 1 : 1 + BytesOf(length);

    private static int BytesOf(int length) => (32 - BitOperations.LeadingZeroCount((uint)length) + 7) / 8;

    private void WritePrefix(byte kind, int length)
    {
        Reserve(5);
        if (length <= LongestShort)
        {
            _buffer[Length++] = (byte)(kind + length);
            return;
        }

        var bytes = BytesOf(length);
        _buffer[Length++] = (byte)(kind + LongestShort + bytes);
        for (var shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        {
            _buffer[Length++] = (byte)(length >> shift);
        }
    }

    private void Reserve(int count)
    {
        if (_buffer.Length - Length < count)
        {
            Array.Resize(ref _buffer, checked(Math.Max(_buffer.Length * 2, Length + count)));
        }
    }
}
