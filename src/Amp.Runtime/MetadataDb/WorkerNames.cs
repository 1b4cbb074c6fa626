using System.Buffers;
using System.Text.RegularExpressions;

namespace Amp.MetadataDb;

/// <summary>What a worker may be called.</summary>
public static partial class WorkerNames
{
    /// <summary>Characters that may stand in a wildcard's set, as in <c>[0-9]</c>.</summary>
    internal static readonly SearchValues<char> PatternSetCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.");

    /// <summary>Refuses a name that does not begin with a letter or holds other than letters, digits, <c>_</c>, <c>-</c>, <c>.</c></summary>
    /// <exception cref="AmpException"><c>NodeIdInvalid</c>.</exception>
    public static void Check(string nodeId)
    {
        if (!Valid().IsMatch(nodeId))
        {
            throw new AmpException("NodeIdInvalid", AmpErrorKind.InvalidInput,
                $"'{nodeId}' cannot be a worker's name: it has to begin with a letter and go on with letters, digits, '_', '-' or '.'.")
            {
                Target = nodeId,
                RecommendedAction = "Choose a name such as worker-01 or eu-west-1a-worker.",
            };
        }
    }

    /// <summary>Whether a name is a pattern.</summary>
    public static bool HasWildcards(string name) => name.AsSpan().IndexOfAny('*', '?', '[') >= 0;

    [GeneratedRegex(@"\A[a-zA-Z][a-zA-Z0-9_\-.]*\z")]
    private static partial Regex Valid();
}
