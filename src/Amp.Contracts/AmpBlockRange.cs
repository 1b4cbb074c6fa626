using System.Globalization;

namespace Amp;

/// <summary>
/// Some blocks, first and last included. Made of a number, or of a text such as <c>100</c>, <c>100..200</c>, <c>100..</c> (and all
/// after it) and <c>..200</c> (and all before it).
/// </summary>
public readonly record struct AmpBlockRange
{
    private const string Dots = "..";

    /// <summary>One block.</summary>
    /// <param name="block">Its number; a negative one is an <see cref="ArgumentOutOfRangeException"/>.</param>
    public AmpBlockRange(long block)
        : this(block >= 0 ? (ulong)block : throw new ArgumentOutOfRangeException(nameof(block), block, "A block's number is not negative."))
    {
    }

    /// <summary>One block.</summary>
    /// <param name="block">Its number.</param>
    public AmpBlockRange(ulong block)
        : this(block, block)
    {
    }

    /// <summary>Blocks from <paramref name="start"/> to <paramref name="end"/>.</summary>
    /// <param name="start">First block.</param>
    /// <param name="end">Last block; one before <paramref name="start"/> is an <see cref="ArgumentOutOfRangeException"/>.</param>
    public AmpBlockRange(ulong start, ulong end)
    {
        if (end < start)
        {
            throw new ArgumentOutOfRangeException(nameof(end), end, $"A range of blocks that begins with {start} cannot end with {end}.");
        }

        Start = start;
        End = end;
    }

    /// <summary>Reads a text such as <c>100</c> or <c>100..200</c>.</summary>
    /// <param name="text">The text; anything else is a <see cref="FormatException"/>.</param>
    public AmpBlockRange(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var dots = text.IndexOf(Dots, StringComparison.Ordinal);
        var (start, end) = dots < 0 ? (text, text) : (text[..dots], text[(dots + Dots.Length)..]);
        Start = start.Length > 0 ? Number(start, text) : 0;
        End = end.Length > 0 ? Number(end, text) : ulong.MaxValue;
        if (start.Length + end.Length == 0 || End < Start)
        {
            throw NotARange(text);
        }
    }

    /// <summary>First block.</summary>
    public ulong Start { get; }

    /// <summary>Last block; the largest number there is when all after <see cref="Start"/> are meant.</summary>
    public ulong End { get; }

    /// <summary>Whether a block is one of them.</summary>
    /// <param name="block">The block's number.</param>
    public bool Contains(ulong block) => block >= Start && block <= End;

    /// <summary>Whether one of the blocks from <paramref name="start"/> to <paramref name="end"/> is one of them.</summary>
    /// <param name="start">First block.</param>
    /// <param name="end">Last block.</param>
    public bool Overlaps(ulong start, ulong end) => start <= End && end >= Start;

    /// <summary>Returns a text that can be read again.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{Start}{(Start == End ? "" : Dots)}{(Start == End || End == ulong.MaxValue ? "" : End)}");

    private static ulong Number(string number, string text) =>
        ulong.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : throw NotARange(text);

    private static FormatException NotARange(string text) => new($"'{text}' is not a block or a range of blocks such as 100, 100..200, 100.. or ..200.");
}
