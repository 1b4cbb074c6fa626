using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Amp.Parquet.Encodings;

/// <summary>
/// The distinct values of a column chunk in the order in which they appeared, encoded as the dictionary page holds
/// them. Grows to a limit; values past it are not taken.
/// </summary>
internal sealed class ValueDictionary : IDisposable
{
    // Who writes data into a chain must not be able to choose values that collide.
    private static readonly ulong Seed = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8));
    private const ulong Multiplier = 0x9E3779B97F4A7C15;
    private readonly int _width;
    private readonly int _limit;
    private readonly ByteBuffer _content = new(4096);

    // Where each value begins in the content, its length prefix not included; only for values that differ in length.
    private int[] _starts = [];
    private uint[] _hashes = new uint[256];

    // Open addressing; 0 is free, else index + 1.
    private int[] _slots = new int[512];

    public ValueDictionary(int valueWidth, int limitBytes)
    {
        _width = valueWidth;
        _limit = limitBytes;
    }

    /// <summary>Number of distinct values.</summary>
    public int Count { get; private set; }

    /// <summary>The distinct values in PLAIN encoding.</summary>
    public ReadOnlySpan<byte> Content => _content.Written;

    /// <summary>
    /// Finds or adds all values of a column and gives their indices. Returns false, and keeps none of them, when the
    /// dictionary would outgrow its limit.
    /// </summary>
    public bool TryAdd(ColumnBuffer column, Span<int> indices)
    {
        var count = Count;
        var length = _content.Length;
        var fits = _width switch
        {
            0 => AddVariable(column.Values, column.ValueEnds, indices),
            4 => AddIntegers(MemoryMarshal.Cast<byte, uint>(column.Values), indices),
            8 => AddIntegers(MemoryMarshal.Cast<byte, ulong>(column.Values), indices),
            _ => AddFixed(column.Values, indices),
        };
        if (!fits)
        {
            Count = count;
            _content.Truncate(length);
            Rehash(_slots.Length);
        }

        return fits;
    }

    /// <summary>Forgets all values and keeps the memory.</summary>
    public void Clear()
    {
        Count = 0;
        _content.Clear();
        Array.Clear(_slots);
    }

    /// <inheritdoc/>
    public void Dispose() => _content.Dispose();

    private bool AddIntegers<T>(ReadOnlySpan<T> values, Span<int> indices)
        where T : unmanaged, IBinaryInteger<T>
    {
        var last = T.Zero;
        var lastIndex = -1;
        for (var i = 0; i < values.Length; i++)
        {
            var value = values[i];
            if (lastIndex < 0 || value != last)
            {
                last = value;
                var hash = Fold(ulong.CreateTruncating(value) ^ Seed);
                var known = MemoryMarshal.Cast<byte, T>(_content.Written);
                var slot = (int)hash & (_slots.Length - 1);
                while ((lastIndex = _slots[slot] - 1) >= 0 && known[lastIndex] != value)
                {
                    slot = (slot + 1) & (_slots.Length - 1);
                }

                if (lastIndex < 0)
                {
                    lastIndex = Insert(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)), hash, slot);
                    if (lastIndex < 0)
                    {
                        return false;
                    }
                }
            }

            indices[i] = lastIndex;
        }

        return true;
    }

    private bool AddFixed(ReadOnlySpan<byte> values, Span<int> indices)
    {
        ReadOnlySpan<byte> last = [];
        var lastIndex = -1;
        for (var i = 0; i < indices.Length; i++)
        {
            var value = values.Slice(i * _width, _width);
            if (lastIndex < 0 || !value.SequenceEqual(last))
            {
                last = value;
                lastIndex = FindOrInsert(value);
                if (lastIndex < 0)
                {
                    return false;
                }
            }

            indices[i] = lastIndex;
        }

        return true;
    }

    private bool AddVariable(ReadOnlySpan<byte> values, ReadOnlySpan<int> ends, Span<int> indices)
    {
        ReadOnlySpan<byte> last = [];
        var lastIndex = -1;
        var start = 0;
        for (var i = 0; i < ends.Length; i++)
        {
            var value = values[start..ends[i]];
            start = ends[i];
            if (lastIndex < 0 || !value.SequenceEqual(last))
            {
                last = value;
                lastIndex = FindOrInsert(value);
                if (lastIndex < 0)
                {
                    return false;
                }
            }

            indices[i] = lastIndex;
        }

        return true;
    }

    private int FindOrInsert(ReadOnlySpan<byte> value)
    {
        var hash = Hash(value);
        var slot = (int)hash & (_slots.Length - 1);
        int index;
        while ((index = _slots[slot] - 1) >= 0)
        {
            if (_hashes[index] == hash && Value(index).SequenceEqual(value))
            {
                return index;
            }

            slot = (slot + 1) & (_slots.Length - 1);
        }

        return Insert(value, hash, slot);
    }

    private ReadOnlySpan<byte> Value(int index)
    {
        if (_width > 0)
        {
            return _content.Written.Slice(index * _width, _width);
        }

        var start = _starts[index];
        var end = index + 1 < Count ? _starts[index + 1] - 4 : _content.Length;
        return _content.Written[start..end];
    }

    private int Insert(ReadOnlySpan<byte> value, uint hash, int slot)
    {
        if (_content.Length + value.Length + (_width == 0 ? 4 : 0) > _limit)
        {
            return -1;
        }

        if (Count == _hashes.Length)
        {
            Array.Resize(ref _hashes, Count * 2);
        }

        if (_width == 0)
        {
            _content.WriteInt32(value.Length);
            if (Count >= _starts.Length)
            {
                Array.Resize(ref _starts, Math.Max(256, Count * 2));
            }

            _starts[Count] = _content.Length;
        }

        _content.Write(value);
        _hashes[Count] = hash;
        _slots[slot] = ++Count;
        if (Count * 2 > _slots.Length)
        {
            Rehash(_slots.Length * 2);
        }

        return Count - 1;
    }

    private void Rehash(int size)
    {
        if (size == _slots.Length)
        {
            Array.Clear(_slots);
        }
        else
        {
            _slots = new int[size];
        }

        for (var index = 0; index < Count; index++)
        {
            var slot = (int)_hashes[index] & (size - 1);
            while (_slots[slot] != 0)
            {
                slot = (slot + 1) & (size - 1);
            }

            _slots[slot] = index + 1;
        }
    }

    private static uint Hash(ReadOnlySpan<byte> value)
    {
        var hash = Seed ^ (ulong)value.Length;
        while (value.Length >= 8)
        {
            hash = Mix(hash ^ MemoryMarshal.Read<ulong>(value));
            value = value[8..];
        }

        if (value.Length >= 4)
        {
            hash = Mix(hash ^ MemoryMarshal.Read<uint>(value));
            value = value[4..];
        }

        foreach (var next in value)
        {
            hash = Mix(hash ^ next);
        }

        return Fold(hash);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Mix(ulong value)
    {
        var high = Math.BigMul(value, Multiplier, out ulong low);
        return high ^ low;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Fold(ulong value)
    {
        var mixed = Mix(value);
        return (uint)(mixed ^ (mixed >> 32));
    }
}
