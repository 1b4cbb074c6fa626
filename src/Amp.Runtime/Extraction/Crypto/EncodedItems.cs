namespace Amp.Extraction.Crypto;

/// <summary>
/// Items in their consensus encoding, one behind the other in one buffer that is used again after <see cref="Clear"/>:
/// what a trie's root is computed over. Not for use by several threads.
/// </summary>
internal sealed class EncodedItems
{
    private int[] _ends = new int[256];

    /// <summary>Writes the next item; <see cref="EndItem"/> ends it.</summary>
    public RlpWriter Writer { get; } = new(64 * 1024);

    /// <summary>Number of items that were ended.</summary>
    public int Count { get; private set; }

    /// <summary>An item; valid until the next is written.</summary>
    public ReadOnlySpan<byte> this[int index] => Writer.Written[(index == 0 ? 0 : _ends[index - 1]).._ends[index]];

    /// <summary>Makes what was written since the last item one item.</summary>
    public void EndItem()
    {
        if (_ends.Length == Count)
        {
            Array.Resize(ref _ends, Count * 2);
        }

        _ends[Count++] = Writer.Length;
    }

    /// <summary>Forgets all items and keeps the memory.</summary>
    public void Clear()
    {
        Writer.Truncate();
        Count = 0;
    }
}
