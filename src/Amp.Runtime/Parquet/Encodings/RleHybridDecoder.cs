namespace Amp.Parquet.Encodings;

/// <summary>
/// Reads what <see cref="RleHybridEncoder"/> writes. Bytes that are not of this form, or end too early, are an
/// <see cref="InvalidDataException"/>.
/// </summary>
internal sealed class RleHybridDecoder
{
    private const int Group = 8;
    private const int MaxBitWidth = 32;
    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly int _bitWidth;
    private int _at;
    private long _left;
    private uint _repeated;
    private long _packedBit = -1;

    /// <summary>Begins to read numbers of <paramref name="bitWidth"/> bits.</summary>
    public RleHybridDecoder(ReadOnlyMemory<byte> bytes, int bitWidth)
    {
        _bytes = bytes;
        _bitWidth = bitWidth is >= 0 and <= MaxBitWidth ? bitWidth : throw new InvalidDataException($"a page claims numbers of {bitWidth} bits");
    }

    /// <summary>The next number.</summary>
    public uint Next()
    {
        // Numbers without bits are all 0; some writers leave their runs out.
        if (_bitWidth == 0)
        {
            return 0;
        }

        while (_left == 0)
        {
            ReadRun();
        }

        _left--;
        if (_packedBit < 0)
        {
            return _repeated;
        }

        var value = (uint)BitReader.Read(_bytes.Span, _packedBit, _bitWidth);
        _packedBit += _bitWidth;
        return value;
    }

    private void ReadRun()
    {
        var header = BitReader.ReadVarint(_bytes.Span, ref _at);
        var isPacked = (header & 1) == 1;
        var count = (long)(header >> 1);
        var length = isPacked ? count * _bitWidth : (_bitWidth + 7) / 8;
        if (count > int.MaxValue || length > _bytes.Length - _at)
        {
            throw new InvalidDataException("a run of numbers in a page is cut off");
        }

        if (isPacked)
        {
            _packedBit = 8L * _at;
            _left = Group * count;
        }
        else
        {
            _packedBit = -1;
            _repeated = (uint)BitReader.Read(_bytes.Span, 8L * _at, _bitWidth);
            _left = count;
        }

        _at += (int)length;
    }
}
