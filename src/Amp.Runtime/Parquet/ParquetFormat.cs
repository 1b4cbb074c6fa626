namespace Amp.Parquet;

/// <summary>How Parquet stores a value; the numbers are the format's.</summary>
internal enum PhysicalType
{
    Boolean = 0,
    Int32 = 1,
    Int64 = 2,
    ByteArray = 6,
    FixedLenByteArray = 7,
}

/// <summary>How the values of a page are encoded; the numbers are the format's.</summary>
internal enum PageEncoding
{
    Plain = 0,

    /// <summary>As <see cref="RleDictionary"/>, by the name of older writers; not written here.</summary>
    PlainDictionary = 2,
    Rle = 3,
    DeltaBinaryPacked = 5,
    RleDictionary = 8,
}

/// <summary>How pages are compressed; the numbers are the format's.</summary>
internal enum ParquetCodec
{
    Uncompressed = 0,
    Snappy = 1,
    Gzip = 2,
    Brotli = 4,
    Zstd = 6,
    Lz4Raw = 7,
}

/// <summary>The order in which minimum and maximum of a column are taken.</summary>
internal enum ValueOrder
{
    Boolean,
    Int32,
    UInt32,
    Int64,
    UInt64,

    /// <summary>Two's complement of 16 bytes in big endian.</summary>
    Decimal,

    /// <summary>Byte by byte, unsigned.</summary>
    Bytes,
}

/// <summary>What the format needs to know of a leaf's Arrow type.</summary>
internal static class ParquetTypes
{
    /// <summary>The bytes that begin and end every Parquet file.</summary>
    public static ReadOnlySpan<byte> Magic => "PAR1"u8;

    /// <summary>How values of a leaf's type are stored.</summary>
    public static PhysicalType PhysicalTypeOf(ArrowType type) => type switch
    {
        _ when type == ArrowType.Boolean => PhysicalType.Boolean,
        _ when type == ArrowType.Int32 || type == ArrowType.UInt32 => PhysicalType.Int32,
        _ when type == ArrowType.UInt64 || type == ArrowType.TimestampNanos => PhysicalType.Int64,
        _ when type == ArrowType.Decimal38 || type is ArrowType.FixedSizeBinary => PhysicalType.FixedLenByteArray,
        _ when type == ArrowType.Utf8 || type == ArrowType.Binary => PhysicalType.ByteArray,
        _ => throw new NotSupportedException($"no Parquet type for {type}"),
    };

    /// <summary>The order of values of a leaf's type.</summary>
    public static ValueOrder OrderOf(ArrowType type) => type switch
    {
        _ when type == ArrowType.Boolean => ValueOrder.Boolean,
        _ when type == ArrowType.Int32 => ValueOrder.Int32,
        _ when type == ArrowType.UInt32 => ValueOrder.UInt32,
        _ when type == ArrowType.UInt64 => ValueOrder.UInt64,
        _ when type == ArrowType.TimestampNanos => ValueOrder.Int64,
        _ when type == ArrowType.Decimal38 => ValueOrder.Decimal,
        _ => ValueOrder.Bytes,
    };
}
