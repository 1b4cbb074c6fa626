using System.Buffers.Binary;

namespace Amp.Parquet.Encodings;

/// <summary>Reads what <see cref="PlainEncoder"/> writes. Bytes that end too early are an <see cref="InvalidDataException"/>.</summary>
internal sealed class PlainDecoder(ReadOnlyMemory<byte> bytes, ArrowType type)
{
    private readonly PhysicalType _physical = ParquetTypes.PhysicalTypeOf(type);
    private int _at;

    /// <summary>Adds the next value to a column.</summary>
    public void AddNext(ColumnBuffer column)
    {
        switch (_physical)
        {
            case PhysicalType.Boolean:
                // A bit each: the place counts bits.
                Require(1, 8L * bytes.Length);
                column.AddBoolean(BitReader.Read(bytes.Span, _at++, 1) == 1);
                break;
            case PhysicalType.ByteArray:
                column.AddBytes(Take(BinaryPrimitives.ReadInt32LittleEndian(Take(4))));
                break;
            default:
                column.AddFixed(Take(type.ValueWidth));
                break;
        }
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        Require(length, bytes.Length);
        _at += length;
        return bytes.Span.Slice(_at - length, length);
    }

    private void Require(int count, long length)
    {
        if (count < 0 || count > length - _at)
        {
            throw new InvalidDataException("the values of a page are cut off");
        }
    }
}
