using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Amp.Extraction.EvmRpc;

/// <summary>
/// Finds where an object or array ends, 64 bytes at a time. Brackets of both kinds are counted together: what is
/// skipped only has to end, its inside does not matter.
/// </summary>
internal struct JsonExtent
{
    private const int BlockLength = 64;

    private int _depth;
    private bool _isInString;
    private bool _isEscaped;

    /// <summary>Length of the object or array at the beginning of <paramref name="text"/>; -1 when it does not end.</summary>
    public static int Find(ReadOnlySpan<byte> text) => new JsonExtent().Continue(text);

    /// <summary>The same for a text that comes in pieces: its length within this piece; -1 when it does not end there.</summary>
    public int Continue(ReadOnlySpan<byte> piece)
    {
        var position = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            for (; position <= piece.Length - BlockLength; position += BlockLength)
            {
                var end = SkipBlock(piece.Slice(position, BlockLength));
                if (end > 0)
                {
                    return position + end;
                }
            }
        }

        var rest = SkipBytes(piece[position..]);
        return rest > 0 ? position + rest : -1;
    }

    // Both return the number of bytes up to the end, or 0 when the end is not among them.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int SkipBlock(ReadOnlySpan<byte> block)
    {
        var quotes = Where(block, '"');
        if (_isEscaped || Where(block, '\\') != 0)
        {
            return SkipBytes(block);
        }

        if (quotes == 0 && _isInString)
        {
            return 0;
        }

        // '[' and '{', ']' and '}' differ in this bit only.
        const byte bracketBit = 0x20;
        var opens = Where(block, '{', bracketBit);
        var closes = Where(block, '}', bracketBit);
        if ((opens | closes) == 0)
        {
            _isInString ^= (BitOperations.PopCount(quotes) & 1) != 0;
            return 0;
        }

        var inString = PrefixXor(quotes) ^ (_isInString ? ulong.MaxValue : 0);
        _isInString = inString >> (BlockLength - 1) != 0;
        opens &= ~inString;
        closes &= ~inString;
        if (_depth > BitOperations.PopCount(closes))
        {
            _depth += BitOperations.PopCount(opens) - BitOperations.PopCount(closes);
            return 0;
        }

        for (var brackets = opens | closes; brackets != 0; brackets &= brackets - 1)
        {
            var at = BitOperations.TrailingZeroCount(brackets);
            _depth += ((opens >> at) & 1) != 0 ? 1 : -1;
            if (_depth == 0)
            {
                return at + 1;
            }
        }

        return 0;
    }

    private int SkipBytes(ReadOnlySpan<byte> bytes)
    {
        for (var i = 0; i < bytes.Length; i++)
        {
            var next = bytes[i];
            if (_isInString)
            {
                if (_isEscaped)
                {
                    _isEscaped = false;
                }
                else
                {
                    _isEscaped = next == '\\';
                    _isInString = next != '"';
                }
            }
            else if (next == '"')
            {
                _isInString = true;
            }
            else if (next is (byte)'{' or (byte)'[')
            {
                _depth++;
            }
            else if (next is (byte)'}' or (byte)']' && --_depth == 0)
            {
                return i + 1;
            }
        }

        return 0;
    }

    // Which of 64 bytes are the wanted one, once a bit is set in each.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Where(ReadOnlySpan<byte> block, char wanted, byte set = 0)
    {
        ref var start = ref MemoryMarshal.GetReference(block);
        if (Vector512.IsHardwareAccelerated)
        {
            return Vector512.Equals(Vector512.LoadUnsafe(ref start) | Vector512.Create(set), Vector512.Create((byte)wanted)).ExtractMostSignificantBits();
        }

        var (all, bit) = (Vector128.Create((byte)wanted), Vector128.Create(set));
        return Vector128.Equals(Vector128.LoadUnsafe(ref start) | bit, all).ExtractMostSignificantBits()
            | ((ulong)Vector128.Equals(Vector128.LoadUnsafe(ref start, 16) | bit, all).ExtractMostSignificantBits() << 16)
            | ((ulong)Vector128.Equals(Vector128.LoadUnsafe(ref start, 32) | bit, all).ExtractMostSignificantBits() << 32)
            | ((ulong)Vector128.Equals(Vector128.LoadUnsafe(ref start, 48) | bit, all).ExtractMostSignificantBits() << 48);
    }

    // Bit i: whether an odd number of bits up to and including i is set.
    private static ulong PrefixXor(ulong bits)
    {
        bits ^= bits << 1;
        bits ^= bits << 2;
        bits ^= bits << 4;
        bits ^= bits << 8;
        bits ^= bits << 16;
        return bits ^ (bits << 32);
    }
}
