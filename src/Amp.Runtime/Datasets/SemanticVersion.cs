using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;
using System.Text.RegularExpressions;

namespace Amp.Datasets;

/// <summary>A version by the rules of semver.org 2.0: read, compared by precedence, written as it was read.</summary>
internal sealed partial class SemanticVersion : IComparable<SemanticVersion>
{
    /// <summary>Orders versions as texts; a text that is no version comes first.</summary>
    public static readonly IComparer<string> TextOrder = Comparer<string>.Create((left, right) =>
    {
        TryParse(left, out var x);
        TryParse(right, out var y);
        return Comparer<SemanticVersion>.Default.Compare(x, y);
    });

    private readonly string _text;
    private readonly ulong[] _numbers;
    private readonly string[] _prerelease;

    private SemanticVersion(string text, ulong[] numbers, string[] prerelease)
    {
        _text = text;
        _numbers = numbers;
        _prerelease = prerelease;
    }

    /// <summary>Whether it has a pre-release part, as <c>1.0.0-beta</c> has.</summary>
    public bool IsPrerelease => _prerelease.Length > 0;

    /// <summary>Reads a version; false when the text is none.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out SemanticVersion? version)
    {
        version = null;
        var match = Expression().Match(text);
        var numbers = new ulong[3];
        if (!match.Success || Enumerable.Range(0, 3).Any(i =>
            !ulong.TryParse(match.Groups[i + 1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i])))
        {
            return false;
        }

        version = new SemanticVersion(text, numbers, match.Groups[4].Success ? match.Groups[4].Value.Split('.') : []);
        return true;
    }

    /// <summary>Compares by precedence; build metadata does not count.</summary>
    public int CompareTo(SemanticVersion? other)
    {
        if (other is null)
        {
            return 1;
        }

        var byNumbers = _numbers.AsSpan().SequenceCompareTo(other._numbers);
        if (byNumbers != 0)
        {
            return byNumbers;
        }

        if (IsPrerelease != other.IsPrerelease)
        {
            return IsPrerelease ? -1 : 1;
        }

        var byIdentifiers = _prerelease.Zip(other._prerelease, CompareIdentifiers).FirstOrDefault(order => order != 0);
        return byIdentifiers != 0 ? byIdentifiers : _prerelease.Length.CompareTo(other._prerelease.Length);
    }

    /// <inheritdoc/>
    public override string ToString() => _text;

    private static int CompareIdentifiers(string left, string right)
    {
        var isLeftNumber = left.All(char.IsAsciiDigit);
        var isRightNumber = right.All(char.IsAsciiDigit);
        return (isLeftNumber, isRightNumber) switch
        {
            (true, true) => BigInteger.Parse(left, CultureInfo.InvariantCulture).CompareTo(BigInteger.Parse(right, CultureInfo.InvariantCulture)),
            (false, false) => string.CompareOrdinal(left, right),
            _ => isLeftNumber ? -1 : 1,
        };
    }

    [GeneratedRegex(@"\A(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-((?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?\z")]
    private static partial Regex Expression();
}
