using System.Globalization;
using System.Text.RegularExpressions;

namespace Amp.MetadataDb;

/// <summary>Orders semantic versions as semver.org says: a pre-release comes before its release.</summary>
internal sealed partial class VersionOrder : IComparer<string>
{
    public static readonly VersionOrder Instance = new();

    /// <summary>Whether a text is a semantic version.</summary>
    public static bool IsVersion(string text) => Pattern().IsMatch(text);

    /// <summary>Compares two versions; a text that is none comes first.</summary>
    public int Compare(string? x, string? y)
    {
        var (a, b) = (Pattern().Match(x ?? ""), Pattern().Match(y ?? ""));
        if (!a.Success || !b.Success)
        {
            return a.Success.CompareTo(b.Success);
        }

        foreach (var part in new[] { "major", "minor", "patch" })
        {
            var order = CompareNumbers(a.Groups[part].Value, b.Groups[part].Value);
            if (order != 0)
            {
                return order;
            }
        }

        var (left, right) = (a.Groups["pre"], b.Groups["pre"]);
        return left.Success != right.Success
            ? (left.Success ? -1 : 1)
            : ComparePreReleases(left.Value.Split('.'), right.Value.Split('.'));
    }

    private static int ComparePreReleases(string[] left, string[] right)
    {
        for (var i = 0; i < Math.Min(left.Length, right.Length); i++)
        {
            var (l, r) = (IsNumber(left[i]), IsNumber(right[i]));
            var order = (l, r) switch
            {
                (true, true) => CompareNumbers(left[i], right[i]),
                (true, false) => -1,
                (false, true) => 1,
                _ => string.CompareOrdinal(left[i], right[i]),
            };
            if (order != 0)
            {
                return order;
            }
        }

        return left.Length.CompareTo(right.Length);
    }

    private static bool IsNumber(string text) => text.All(char.IsAsciiDigit);

    private static int CompareNumbers(string left, string right) =>
        System.Numerics.BigInteger.Parse(left, CultureInfo.InvariantCulture)
            .CompareTo(System.Numerics.BigInteger.Parse(right, CultureInfo.InvariantCulture));

    [GeneratedRegex(@"\A(?<major>0|[1-9]\d*)\.(?<minor>0|[1-9]\d*)\.(?<patch>0|[1-9]\d*)(-(?<pre>[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*))?(\+[0-9A-Za-z.-]+)?\z", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
