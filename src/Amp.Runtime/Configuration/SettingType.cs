using System.Globalization;
using System.Net;
using System.Text;

namespace Amp.Configuration;

/// <summary>
/// What a setting's value may be: how it is read from TOML and from the text of an environment variable, what is
/// allowed in words, and how it is written. A reading function returns null for what does not fit.
/// </summary>
/// <param name="Allowed">What fits, in words: <c>an integer from 1 to 1000</c>.</param>
/// <param name="Read">Reads a TOML value.</param>
/// <param name="FromText">Makes a TOML value of the text of an environment variable.</param>
internal sealed record SettingType(string Allowed, Func<TomlValue, object?> Read, Func<string, TomlValue> FromText)
{
    private static readonly string[] NodeSchemes = ["http://", "https://", "ws://", "wss://", "ipc://"];

    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    /// <summary>Whether values may be, or hold, secrets, and are never shown.</summary>
    public bool HoldsSecret { get; private init; }

    /// <summary>Text that is not empty.</summary>
    public static SettingType Text { get; } = ForText("text", text => text);

    /// <summary>A folder or file; relative ones are resolved by the reader.</summary>
    public static SettingType Path { get; } = ForText("a path", text => text);

    /// <summary>A password or token.</summary>
    public static SettingType Secret { get; } = ForText("text", text => new Secret(text)) with { HoldsSecret = true };

    /// <summary>true or false.</summary>
    public static SettingType Boolean { get; } = new("true or false", value => (value as TomlBoolean)?.Value, FromScalar);

    /// <summary>A compression of Parquet columns.</summary>
    public static SettingType Compression { get; } = ForText(CompressionSetting.Allowed, CompressionSetting.TryParse);

    /// <summary>A node id.</summary>
    public static SettingType NodeName { get; } = ForText(NodeId.Rule, text => NodeId.IsValid(text) ? text : null);

    /// <summary>An IP address, or <c>localhost</c>, and a port.</summary>
    public static SettingType Address { get; } = ForText("an IP address and a port, such as 127.0.0.1:1610", ReadAddress);

    /// <summary>Texts; in an environment variable separated by commas.</summary>
    public static SettingType TextList { get; } = new(
        "an array of texts",
        value => value is TomlArray array && array.Items.All(item => item is TomlString { Value.Length: > 0 })
            ? (IReadOnlyList<string>)[.. array.Items.Select(item => ((TomlString)item).Value)]
            : null,
        text => new TomlArray(0, [.. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(item => new TomlString(0, item))]));

    /// <summary>A key that another program reads from the same file; any value.</summary>
    public static SettingType Foreign { get; } = new("anything", value => value, text => new TomlString(0, text));

    /// <summary>A URL with one of some schemes; kept as a <see cref="Configuration.Secret"/>, since it may hold a password.</summary>
    public static SettingType Url(params string[] schemes) => ForText(
        $"a URL that begins with {string.Join(" or ", schemes.Select(scheme => scheme + "://"))}",
        text => schemes.Any(scheme => text.StartsWith(scheme + "://", StringComparison.OrdinalIgnoreCase) && text.Length > scheme.Length + 3)
            ? Configuration.Secret.ForUrl(text)
            : null) with { HoldsSecret = true };

    /// <summary>Address of a node; kept as a <see cref="Configuration.Secret"/>, since it may hold an API key.</summary>
    public static SettingType NodeUrl { get; } = ForText(
        "a URL that begins with http://, https://, ws://, wss:// or ipc://, or the absolute path of a socket",
        text => text.StartsWith("${", StringComparison.Ordinal)
            || System.IO.Path.IsPathRooted(text)
            || NodeSchemes.Any(scheme => text.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) && text.Length > scheme.Length)
            ? Configuration.Secret.ForUrl(text)
            : null) with { HoldsSecret = true };

    /// <summary>One of some words, in any case; read as it stands in the list.</summary>
    public static SettingType Choice(params string[] words) => ForText(
        string.Join(", ", words.Select(word => $"\"{word}\"")),
        text => words.FirstOrDefault(word => word.Equals(text, StringComparison.OrdinalIgnoreCase)));

    /// <summary>An integer in a range.</summary>
    public static SettingType Integer(long min, long max) => new(
        max == long.MaxValue ? $"an integer of {min.ToString(Invariant)} or more" : string.Create(Invariant, $"an integer from {min} to {max}"),
        value => value is TomlInteger integer && integer.Value >= min && integer.Value <= max ? integer.Value : null,
        FromScalar);

    /// <summary>A number in a range.</summary>
    public static SettingType Number(double min, double max) => new(
        string.Create(Invariant, $"a number from {min} to {max}"),
        value => AsNumber(value) is { } number && number >= min && number <= max ? number : null,
        FromScalar);

    /// <summary>A time span: seconds as a number, or text with a unit such as <c>"500ms"</c>, <c>"30s"</c>, <c>"5m"</c>, <c>"1h"</c>.</summary>
    public static SettingType Duration(double minSeconds, double maxSeconds) => new(
        string.Create(Invariant, $"seconds from {minSeconds} to {maxSeconds}, or a text such as \"500ms\", \"30s\", \"5m\" or \"1h\""),
        value => ReadSeconds(value) is { } seconds && seconds >= minSeconds && seconds <= maxSeconds ? TimeSpan.FromSeconds(seconds) : null,
        FromScalar);

    /// <summary>A value as it stands in a TOML file.</summary>
    public static string Write(object value) => value switch
    {
        bool flag => flag ? "true" : "false",
        TimeSpan span => span.TotalSeconds.ToString(Invariant),
        Secret secret => Quote(secret.Reveal()),
        IReadOnlyList<string> list => $"[{string.Join(", ", list.Select(Quote))}]",
        string or CompressionSetting or IPEndPoint => Quote(value.ToString()!),
        IFormattable number => number.ToString(null, Invariant),
        _ => throw new ArgumentException($"{value.GetType()} is no type of a setting", nameof(value)),
    };

    /// <summary>Text in TOML's double quotes.</summary>
    public static string Quote(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var c in text)
        {
            _ = c switch
            {
                '"' or '\\' => quoted.Append('\\').Append(c),
                < ' ' or '\x7f' => quoted.Append(Invariant, $"\\u{(int)c:X4}"),
                _ => quoted.Append(c),
            };
        }

        return quoted.Append('"').ToString();
    }

    private static SettingType ForText(string allowed, Func<string, object?> read) => new(
        allowed, value => value is TomlString { Value.Length: > 0 } text ? read(text.Value) : null, text => new TomlString(0, text));

    private static TomlValue FromScalar(string text) => TomlScalar.Parse(text.Trim(), line: 0) ?? new TomlString(0, text);

    private static double? AsNumber(TomlValue value) => value switch
    {
        TomlInteger integer => integer.Value,
        TomlFloat number when double.IsFinite(number.Value) => number.Value,
        _ => null,
    };

    private static double? ReadSeconds(TomlValue value)
    {
        if (value is not TomlString text)
        {
            return AsNumber(value);
        }

        var digits = text.Value.TrimEnd("hms".ToCharArray());
        double? unit = text.Value[digits.Length..] switch { "ms" => 0.001, "s" => 1, "m" => 60, "h" => 3600, _ => null };
        return double.TryParse(digits.Trim(), NumberStyles.AllowDecimalPoint, Invariant, out var number) ? number * unit : null;
    }

    private static IPEndPoint? ReadAddress(string text)
    {
        const string Local = "localhost:";
        text = text.StartsWith(Local, StringComparison.OrdinalIgnoreCase) ? "127.0.0.1:" + text[Local.Length..] : text;
        var portAt = text.LastIndexOf(':') + 1;
        return portAt > 0 && portAt < text.Length && char.IsAsciiDigit(text[portAt])
            && text[..(portAt - 1)] is var host && (host.StartsWith('[') ? host.EndsWith(']') : !host.Contains(':', StringComparison.Ordinal))
            && IPEndPoint.TryParse(text, out var address)
            ? address
            : null;
    }
}
