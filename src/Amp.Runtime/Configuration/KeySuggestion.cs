namespace Amp.Configuration;

/// <summary>Finds what somebody may have meant who mistyped a name.</summary>
internal static class KeySuggestion
{
    /// <summary>The known name with the least edits from a name; null when none is near.</summary>
    public static string? Nearest(string name, IEnumerable<string> known) =>
        Nearest(name, known.ToDictionary(candidate => candidate));

    /// <summary>As above, for names that are known by a spelling of their own.</summary>
    public static string? Nearest(string name, IReadOnlyDictionary<string, string> known)
    {
        var best = known
            .Select(pair => (pair.Value, Distance: Distance(name, pair.Key)))
            .OrderBy(candidate => candidate.Distance)
            .ThenBy(candidate => candidate.Value, StringComparer.Ordinal)
            .FirstOrDefault();
        if (best.Value is not null && best.Distance <= Math.Max(2, name.Length / 3))
        {
            return best.Value;
        }

        // The right name in the wrong table.
        var last = name[(name.LastIndexOf('.') + 1)..];
        return known.Values.FirstOrDefault(path => path.EndsWith("." + last, StringComparison.Ordinal));
    }

    /// <summary>Insertions, deletions, replacements and swaps of neighbours between two texts.</summary>
    internal static int Distance(string left, string right)
    {
        var rows = new int[left.Length + 1, right.Length + 1];
        for (var i = 0; i <= left.Length; i++)
        {
            for (var j = 0; j <= right.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    rows[i, j] = i + j;
                    continue;
                }

                var replaced = rows[i - 1, j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
                rows[i, j] = Math.Min(replaced, Math.Min(rows[i - 1, j], rows[i, j - 1]) + 1);
                if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                {
                    rows[i, j] = Math.Min(rows[i, j], rows[i - 2, j - 2] + 1);
                }
            }
        }

        return rows[left.Length, right.Length];
    }
}
