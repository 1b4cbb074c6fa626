using System.Globalization;

namespace Amp.Extraction;

/// <summary>Blocks from <paramref name="Start"/> to <paramref name="End"/>, both included.</summary>
internal readonly record struct BlockRange(ulong Start, ulong End)
{
    /// <summary>Number of blocks.</summary>
    public ulong Count => End - Start + 1;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Start}-{End}");
}
