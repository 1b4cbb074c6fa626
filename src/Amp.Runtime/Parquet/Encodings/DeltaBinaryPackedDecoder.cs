namespace Amp.Parquet.Encodings;

/// <summary>
/// Reads what <see cref="DeltaBinaryPackedEncoder"/> writes, of 32 and of 64 bits (the lower half of a number counts then). Bytes that
/// are not of this form, or end too early, are an <see cref="InvalidDataException"/>.
/// </summary>
internal sealed class DeltaBinaryPackedDecoder
{
    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly int _miniblockSize;
    private readonly byte[] _widths;
    private readonly ulong _count;
    private ulong _read;
    private int _at;
    private int _miniblock;
    private int _leftInMiniblock;
    private long _bit;
    private long _least;
    private long _value;

    /// <summary>Begins to read.</summary>
    public DeltaBinaryPackedDecoder(ReadOnlyMemory<byte> bytes)
    {
        _bytes = bytes;
        var blockSize = BitReader.ReadVarint(bytes.Span, ref _at);
        var miniblocks = BitReader.ReadVarint(bytes.Span, ref _at);
        if (blockSize > 1 << 20 || miniblocks is 0 or > 1 << 10 || blockSize % miniblocks != 0 || blockSize / miniblocks % 8 != 0)
        {
            throw Malformed();
        }

        _miniblockSize = (int)(blockSize / miniblocks);
        _widths = new byte[miniblocks];
        _miniblock = _widths.Length;
        _count = BitReader.ReadVarint(bytes.Span, ref _at);
        _value = ReadZigzag();
    }

    /// <summary>The next number.</summary>
    public long Next()
    {
        if (_read >= _count)
        {
            throw Malformed();
        }

        if (_read++ > 0)
        {
            if (_leftInMiniblock == 0)
            {
                BeginMiniblock();
            }

            var width = _widths[_miniblock];
            _value += _least + (long)BitReader.Read(_bytes.Span, _bit, width);
            _bit += width;
            _leftInMiniblock--;
        }

        return _value;
    }

    private void BeginMiniblock()
    {
        if (++_miniblock >= _widths.Length)
        {
            _least = ReadZigzag();
            if (_bytes.Length - _at < _widths.Length)
            {
                throw Malformed();
            }

            _bytes.Span.Slice(_at, _widths.Length).CopyTo(_widths);
            _at += _widths.Length;
            _miniblock = 0;
        }

        var length = _widths[_miniblock] * _miniblockSize / 8;
        if (_miniblockSize == 0 || _widths[_miniblock] > 64 || length > _bytes.Length - _at)
        {
            throw Malformed();
        }

        _bit = 8L * _at;
        _at += length;
        _leftInMiniblock = _miniblockSize;
    }

    private long ReadZigzag()
    {
        var raw = BitReader.ReadVarint(_bytes.Span, ref _at);
        return (long)(raw >> 1) ^ -(long)(raw & 1);
    }

    private static InvalidDataException Malformed() => new("packed numbers in a page are malformed or cut off");
}
