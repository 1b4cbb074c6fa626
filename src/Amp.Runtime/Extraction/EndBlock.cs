using System.Globalization;

namespace Amp.Extraction;

/// <summary>
/// The last block of a job as a user gives it: an absolute number, a negative number (so many blocks behind the
/// chain's head), or <c>latest</c> (the head when the job starts).
/// </summary>
internal readonly record struct EndBlock
{
    private readonly ulong? _absolute;
    private readonly ulong _behindHead;

    private EndBlock(ulong? absolute, ulong behindHead)
    {
        _absolute = absolute;
        _behindHead = behindHead;
    }

    /// <summary>The number itself when it does not depend on the chain's head.</summary>
    public ulong? Absolute => _absolute;

    /// <summary>Reads one of the three spellings; throws <c>InvalidEndBlock</c>.</summary>
    public static EndBlock Parse(string text)
    {
        if (ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var absolute))
        {
            return new EndBlock(absolute, 0);
        }

        if (text.Equals("latest", StringComparison.OrdinalIgnoreCase))
        {
            return new EndBlock(null, 0);
        }

        if (text.StartsWith('-')
            && ulong.TryParse(text.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var behind))
        {
            return new EndBlock(null, behind);
        }

        throw new AmpException(
            "InvalidEndBlock", AmpErrorKind.InvalidInput,
            $"'{text}' is not an end block: it is a block number, a negative number (that many blocks behind the chain's head) or 'latest'.")
        {
            Target = text,
            RecommendedAction = "Give a block number such as 15001000, or 'latest'.",
        };
    }

    /// <summary>The block number meant when the chain's newest block is <paramref name="head"/>; 0 when the chain is shorter.</summary>
    public ulong Resolve(ulong head) => _absolute ?? (head > _behindHead ? head - _behindHead : 0);

    /// <summary>Refuses a range that ends before it starts.</summary>
    public static void RequireNotBefore(ulong endBlock, ulong startBlock, string dataset)
    {
        if (endBlock < startBlock)
        {
            throw new AmpException(
                "EndBlockBeforeStart", AmpErrorKind.InvalidInput,
                $"End block {endBlock} lies before the start block {startBlock} of {dataset}; there is nothing to extract.")
            {
                Target = endBlock,
                RecommendedAction = $"Give an end block of {startBlock} or more.",
            };
        }
    }
}
