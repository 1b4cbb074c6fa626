using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Amp.Internal;

/// <summary>Text of table and list cells; for <c>Amp.Format.ps1xml</c> only.</summary>
[SuppressMessage("Naming", "CA1707:Identifiers should not contain underscores", Justification = "marks a type that only format files use")]
public static class _Format
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

    /// <summary>A size such as <c>12.4 MiB</c>.</summary>
    /// <param name="bytes">Size in bytes; null gives an empty cell.</param>
    public static string Size(object? bytes)
    {
        if (bytes is null)
        {
            return "";
        }

        var value = Convert.ToDouble(bytes, CultureInfo.InvariantCulture);
        var unit = 0;
        while (value >= 1024 && unit < Units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return value.ToString(unit == 0 ? "0" : "0.0", CultureInfo.InvariantCulture) + " " + Units[unit];
    }

    /// <summary>A time such as <c>2026-01-15 17:20:15Z</c>, always UTC.</summary>
    /// <param name="time">The time; null gives an empty cell.</param>
    public static string Time(DateTimeOffset? time) =>
        time?.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "";

    /// <summary>A time in RFC 3339, such as <c>2026-01-15T17:20:15Z</c>.</summary>
    /// <param name="time">The time; null gives an empty cell.</param>
    public static string Rfc3339(DateTimeOffset? time) =>
        time?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "";

    /// <summary>An age such as <c>0.8s</c>, <c>42s</c>, <c>3m 5s</c>, <c>2h 10m</c>, <c>5d 3h</c> or <c>365d</c>.</summary>
    /// <param name="age">The age; null gives an empty cell.</param>
    public static string Age(TimeSpan? age) => age switch
    {
        null => "",
        { TotalSeconds: < 10 } => age.Value.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture) + "s",
        { TotalMinutes: < 1 } => $"{age.Value.Seconds}s",
        { TotalHours: < 1 } => $"{age.Value.Minutes}m {age.Value.Seconds}s",
        { TotalDays: < 1 } => $"{age.Value.Hours}h {age.Value.Minutes}m",
        { TotalDays: < 100 } => $"{age.Value.Days}d {age.Value.Hours}h",
        _ => $"{age.Value.Days}d",
    };

    /// <summary>How long an answer took, such as <c>0.4 ms</c> or <c>1250 ms</c>.</summary>
    /// <param name="latency">The time; null gives an empty cell.</param>
    public static string Latency(TimeSpan? latency) => latency is { TotalMilliseconds: var milliseconds }
        ? milliseconds.ToString(milliseconds < 10 ? "0.0" : "0", CultureInfo.InvariantCulture) + " ms"
        : "";

    /// <summary>The first twelve characters of a hash, and an ellipsis.</summary>
    /// <param name="hash">The hash; null gives an empty cell.</param>
    public static string ShortHash(string? hash) => hash is { Length: > 13 } ? hash[..12] + "…" : hash ?? "";

    /// <summary>The beginning and the end of bytes as hex digits, such as <c>0x1234…abcd</c>.</summary>
    /// <param name="hex">The digits with <c>0x</c>; null gives an empty cell.</param>
    public static string ShortHex(string? hex) => hex is { Length: > 14 } ? $"{hex[..6]}…{hex[^4..]}" : hex ?? "";

    /// <summary>The beginning and the end of an id, such as <c>01a21e48…0b35</c>.</summary>
    /// <param name="id">The id.</param>
    public static string ShortId(Guid id)
    {
        var text = id.ToString();
        return $"{text[..8]}…{text[^4..]}";
    }

    /// <summary>The kinds of problems of a table with their numbers, such as <c>2 FileMissing, 1 Gap</c>.</summary>
    /// <param name="test">The table's test.</param>
    public static string Problems(AmpTableTest test) =>
        string.Join(", ", test.Problems.GroupBy(problem => problem.Kind).Select(kind => $"{kind.Count()} {kind.Key}"));

    /// <summary>A share such as <c>42.5 %</c>.</summary>
    /// <param name="percent">0 to 100; null gives an empty cell.</param>
    public static string Percent(double? percent) =>
        percent?.ToString("0.0", CultureInfo.InvariantCulture) is { } text ? text + " %" : "";

    /// <summary>A rate such as <c>412.0/s</c>.</summary>
    /// <param name="perSecond">Per second; null gives an empty cell.</param>
    public static string Rate(double? perSecond) =>
        perSecond?.ToString("0.0", CultureInfo.InvariantCulture) is { } text ? text + "/s" : "";

    /// <summary>How many there are of how many there may be, such as <c>17/100k</c>.</summary>
    /// <param name="count">How many there are.</param>
    /// <param name="limit">How many there may be; whole thousands and millions are written short.</param>
    public static string OutOf(long count, long limit)
    {
        const long thousand = 1_000;
        const long million = 1_000_000;
        var most = limit switch
        {
            >= million when limit % million == 0 => (limit / million).ToString(CultureInfo.InvariantCulture) + "M",
            >= thousand when limit % thousand == 0 => (limit / thousand).ToString(CultureInfo.InvariantCulture) + "k",
            _ => limit.ToString(CultureInfo.InvariantCulture),
        };
        return $"{count.ToString(CultureInfo.InvariantCulture)}/{most}";
    }

    /// <summary>A text in one line: its first that is not blank, with an ellipsis when more follow.</summary>
    /// <param name="text">The text; null gives an empty cell.</param>
    public static string Line(string? text)
    {
        var lines = (text ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.Length switch
        {
            0 => "",
            1 => lines[0],
            _ => lines[0] + "…",
        };
    }

    /// <summary>A state, in the colour of <paramref name="colour"/> when there is one.</summary>
    /// <param name="text">The state.</param>
    /// <param name="colour">An escape sequence of <c>$PSStyle</c>; empty for none.</param>
    /// <param name="reset">The sequence that ends it.</param>
    public static string Coloured(string text, string? colour, string? reset) =>
        string.IsNullOrEmpty(colour) ? text : $"{colour}{text}{reset}";
}
