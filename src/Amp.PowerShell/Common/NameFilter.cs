using System.Management.Automation;

namespace Amp.PowerShell.Common;

/// <summary>
/// Names as a user types them: wildcards match any number of things, silently none; a literal name that nothing has
/// is an error of its own.
/// </summary>
internal sealed class NameFilter
{
    private readonly (string Text, WildcardPattern Pattern, bool IsLiteral)[] _patterns;
    private readonly HashSet<string> _found = new(StringComparer.OrdinalIgnoreCase);

    public NameFilter(IEnumerable<string>? names) => _patterns = [.. (names ?? []).Select(name => (
        name, new WildcardPattern(name, WildcardOptions.IgnoreCase), !WildcardPattern.ContainsWildcardCharacters(name)))];

    /// <summary>The names that no call of <see cref="IsMatch"/> found, wildcards left out.</summary>
    public IEnumerable<string> Missing => _patterns.Where(p => p.IsLiteral && !_found.Contains(p.Text)).Select(p => p.Text);

    /// <summary>Whether one of the texts matches; true for any when no names were given.</summary>
    public bool IsMatch(params ReadOnlySpan<string> texts)
    {
        var match = _patterns.Length == 0;
        foreach (var (text, pattern, _) in _patterns)
        {
            foreach (var candidate in texts)
            {
                if (pattern.IsMatch(candidate))
                {
                    match = true;
                    _found.Add(text);
                }
            }
        }

        return match;
    }
}
