namespace Amp.Extraction.EvmRpc;

/// <summary>Brings the receipts of a node that sorts them in its own way into the order of the transactions.</summary>
internal static class ReceiptOrder
{
    /// <summary>The elements of a list of receipts, as they stand.</summary>
    public static List<ReadOnlyMemory<byte>> Split(ReadOnlyMemory<byte> receipts)
    {
        var elements = new List<ReadOnlyMemory<byte>>();
        var json = new JsonCursor(receipts.Span);
        for (var more = json.EnterArray(); more; more = json.NextElement())
        {
            var start = json.Position;
            json.SkipValue();
            elements.Add(receipts[start..json.Position]);
        }

        return elements;
    }

    /// <summary>Receipts by rising <c>transactionIndex</c>.</summary>
    public static List<ReadOnlyMemory<byte>> Sort(IReadOnlyList<ReadOnlyMemory<byte>> receipts) =>
        [.. receipts.OrderBy(receipt => IndexOf(receipt.Span))];

    private static ulong IndexOf(ReadOnlySpan<byte> receipt)
    {
        var json = new JsonCursor(receipt);
        for (var more = json.EnterObject(); more; more = json.NextMember())
        {
            if (json.ReadKey().SequenceEqual("transactionIndex"u8))
            {
                return json.ReadUInt64();
            }

            json.SkipValue();
        }

        throw DecodeException.Missing("transactionIndex");
    }
}
