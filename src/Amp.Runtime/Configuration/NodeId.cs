using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Amp.Configuration;

/// <summary>The rule for names of workers.</summary>
public static partial class NodeId
{
    /// <summary>The rule, as a regular expression.</summary>
    public const string Pattern = @"^[a-zA-Z][a-zA-Z0-9_\-\.]*$";

    /// <summary>The rule, in words.</summary>
    internal const string Rule =
        "a letter (a-z, A-Z), then letters, digits, '_', '-' and '.' only, such as worker-01 or eu-west-1a-worker";

    /// <summary>Whether a text is a node id.</summary>
    public static bool IsValid([NotNullWhen(true)] string? nodeId) => nodeId is not null && Expression().IsMatch(nodeId);

    /// <summary>Returns the node id it was given.</summary>
    /// <exception cref="AmpException"><c>InvalidNodeId</c> when it does not match <see cref="Pattern"/>.</exception>
    public static string Validate(string? nodeId) => IsValid(nodeId)
        ? nodeId
        : throw new AmpException("InvalidNodeId", AmpErrorKind.InvalidInput, $"'{nodeId}' is not a node id: it must be {Rule}.")
        {
            Target = nodeId,
            RecommendedAction = "Choose another name, for example worker-01.",
        };

    // \z and not $, which would let a line end pass.
    [GeneratedRegex(@"\A[a-zA-Z][a-zA-Z0-9_\-.]*\z")]
    private static partial Regex Expression();
}
