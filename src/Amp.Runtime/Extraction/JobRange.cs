namespace Amp.Extraction;

/// <summary>The blocks that a job is to extract: from <paramref name="Start"/> to <paramref name="End"/>, or without end.</summary>
internal readonly record struct JobRange(ulong Start, ulong? End)
{
    /// <summary>Those of its blocks that the chain has; null when it has none of them yet.</summary>
    public BlockRange? UpTo(ulong head)
    {
        var end = Math.Min(head, End ?? ulong.MaxValue);
        return end < Start ? null : new BlockRange(Start, end);
    }
}
