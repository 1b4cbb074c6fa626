using System.Buffers;
using System.Collections.Concurrent;
using System.Text.Json;

namespace Amp.Extraction.DevChains;

/// <summary>
/// A recorded block, or the receipts of one, as JSON without white space, from which layouts are made.
/// <paramref name="listName"/> is the property that holds the items; null when the document is the array of them.
/// </summary>
internal sealed class RecordedDocument(byte[] json, string? listName)
{
    private readonly ConcurrentDictionary<(int NumberDigits, int TimestampDigits), RecordedLayout> _layouts = new();

    /// <summary>The layout for block numbers and timestamps of so many hex digits.</summary>
    public RecordedLayout LayoutFor(int numberDigits, int timestampDigits) =>
        _layouts.GetOrAdd(
            (numberDigits, timestampDigits),
            digits => new Builder(json, listName, digits.NumberDigits, digits.TimestampDigits).Build());

    /// <summary>Goes over the document once, copies it with the slots resized, and notes positions in the copy.</summary>
    private sealed class Builder(byte[] json, string? listName, int numberDigits, int timestampDigits)
    {
        private const int ShortestVaried = 40;
        private const int OpeningLength = 3; // "0x with its quotation mark

        private static readonly SearchValues<byte> HexDigits = SearchValues.Create("0123456789abcdefABCDEF"u8);

        private readonly ArrayBufferWriter<byte> _output = new(json.Length + 1024);
        private readonly List<(int Position, SlotKind Kind)> _slots = [];
        private readonly List<(int Start, int Length)> _varied = [];
        private readonly List<Range> _items = [];
        private readonly int _listDepth = listName is null ? 0 : 1;
        private int _copied;

        public RecordedLayout Build()
        {
            var list = 0..0;
            var itemStart = 0;
            var inList = false;
            string? property = null;
            var reader = new Utf8JsonReader(json);
            while (reader.Read())
            {
                switch (reader.TokenType)
                {
                    case JsonTokenType.PropertyName:
                        property = reader.GetString();
                        break;
                    case JsonTokenType.StartArray when reader.CurrentDepth == _listDepth && property == listName:
                        inList = true;
                        list = CopyTo((int)reader.BytesConsumed)..0;
                        break;
                    case JsonTokenType.EndArray when inList && reader.CurrentDepth == _listDepth:
                        inList = false;
                        list = list.Start..CopyTo((int)reader.TokenStartIndex);
                        break;
                    case JsonTokenType.StartObject when inList && reader.CurrentDepth == _listDepth + 1:
                        itemStart = CopyTo((int)reader.TokenStartIndex);
                        break;
                    case JsonTokenType.EndObject when inList && reader.CurrentDepth == _listDepth + 1:
                        _items.Add(itemStart..CopyTo((int)reader.BytesConsumed));
                        break;
                    case JsonTokenType.String when IsHex(reader.ValueSpan):
                        AddHex(SlotOf(property, reader.CurrentDepth), (int)reader.TokenStartIndex + OpeningLength, reader.ValueSpan.Length - 2);
                        break;
                    default:
                        break;
                }
            }

            CopyTo(json.Length);
            return new RecordedLayout(_output.WrittenSpan.ToArray(), [.. _slots], [.. _varied]) { List = list, Items = _items };
        }

        private static bool IsHex(ReadOnlySpan<byte> text) => text.StartsWith("0x"u8) && text[2..].IndexOfAnyExcept(HexDigits) < 0;

        private SlotKind? SlotOf(string? property, int depth) => property switch
        {
            "blockNumber" => SlotKind.Number,
            "blockHash" => SlotKind.Hash,
            "blockTimestamp" => SlotKind.Timestamp,
            _ when listName is null || depth != 1 => null,
            "number" => SlotKind.Number,
            "hash" => SlotKind.Hash,
            "timestamp" => SlotKind.Timestamp,
            "parentHash" => SlotKind.ParentHash,
            _ => null,
        };

        // position and length: the digits in the source.
        private void AddHex(SlotKind? kind, int position, int length)
        {
            if (kind is null)
            {
                if (length >= ShortestVaried)
                {
                    _varied.Add((_output.WrittenCount + position - _copied, length));
                }

                return;
            }

            _slots.Add((CopyTo(position), kind.Value));
            var digits = kind switch { SlotKind.Number => numberDigits, SlotKind.Timestamp => timestampDigits, _ => 64 };
            _output.GetSpan(digits)[..digits].Fill((byte)'0');
            _output.Advance(digits);
            _copied = position + length;
        }

        // Copies the source up to a position; returns the position in the copy.
        private int CopyTo(int position)
        {
            _output.Write(json.AsSpan(_copied..position));
            _copied = position;
            return _output.WrittenCount;
        }
    }
}
