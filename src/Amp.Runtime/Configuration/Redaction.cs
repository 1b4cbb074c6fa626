using System.Text.RegularExpressions;

namespace Amp.Configuration;

/// <summary>Takes secrets out of text that is shown. Where it cannot tell, it hides too much rather than too little.</summary>
public static partial class Redaction
{
    /// <summary>What stands in place of a secret.</summary>
    public const string Mask = "***";

    /// <summary>
    /// A URL without passwords, user information (a database user's name stays), secret query values, API keys in
    /// the path (<c>/v3/&lt;key&gt;</c>, or any segment that looks like a key) and fragment. Text that is no URL is
    /// shown only if it is a file path. References to variables (<c>${NAME}</c>) are no secrets.
    /// </summary>
    public static string Url(string url)
    {
        ArgumentNullException.ThrowIfNull(url);
        var schemeEnd = url.IndexOf("://", StringComparison.Ordinal);
        if (schemeEnd < 0)
        {
            return IsFilePath(url) || IsReference(url) ? url : Mask;
        }

        var scheme = url[..schemeEnd];
        var rest = url[(schemeEnd + 3)..];
        var userInfo = "";

        // The last '@' ends the user information even where '/' or '?' in a password were not percent-encoded.
        var at = rest.LastIndexOf('@');
        if (at >= 0)
        {
            userInfo = RedactUserInfo(scheme, rest[..at]) + "@";
            rest = rest[(at + 1)..];
        }

        var fragmentAt = rest.IndexOf('#', StringComparison.Ordinal);
        rest = fragmentAt < 0 ? rest : rest[..fragmentAt];
        var queryAt = rest.IndexOf('?', StringComparison.Ordinal);
        var path = queryAt < 0 ? rest : rest[..queryAt];
        var query = queryAt < 0 ? "" : "?" + string.Join('&', rest[(queryAt + 1)..].Split('&').Select(RedactParameter));
        return $"{scheme}://{userInfo}{RedactPath(scheme, path)}{query}";
    }

    /// <summary>A PostgreSQL connection, as a URL or as <c>Key=Value;…</c>, without its secrets.</summary>
    public static string ConnectionString(string connectionString)
    {
        ArgumentNullException.ThrowIfNull(connectionString);
        return connectionString.Contains("://", StringComparison.Ordinal)
            ? Url(connectionString)
            : SecretSetting().Replace(connectionString, "$1=" + Mask);
    }

    private static string RedactUserInfo(string scheme, string userInfo)
    {
        var colon = userInfo.IndexOf(':', StringComparison.Ordinal);
        if (!scheme.StartsWith("postgres", StringComparison.OrdinalIgnoreCase))
        {
            return Mask;
        }

        return colon < 0 ? userInfo : $"{userInfo[..colon]}:{Mask}";
    }

    private static string RedactPath(string scheme, string path)
    {
        if (scheme.StartsWith("postgres", StringComparison.OrdinalIgnoreCase) || scheme is "ipc" or "file")
        {
            return path;
        }

        var segments = path.Split('/');
        for (var i = 1; i < segments.Length; i++)
        {
            var isAfterVersion = i > 1 && ApiVersion().IsMatch(segments[i - 1]);
            if (IsReference(segments[i]))
            {
                continue;
            }

            if (LooksLikeKey(segments[i]) || (isAfterVersion && segments[i] is not ("" or "metrics" or "traces" or "logs" or "rpc")))
            {
                segments[i] = Mask;
            }
        }

        return string.Join('/', segments);
    }

    private static string RedactParameter(string parameter)
    {
        var equals = parameter.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0)
        {
            return LooksLikeKey(parameter) ? Mask : parameter;
        }

        var value = parameter[(equals + 1)..];
        return !IsReference(value) && (SecretName().IsMatch(parameter[..equals]) || LooksLikeKey(value))
            ? $"{parameter[..equals]}={Mask}"
            : parameter;
    }

    /// <summary>Long, and more than a word: digits among letters, or longer than words are.</summary>
    private static bool LooksLikeKey(string text) =>
        text.Length >= 24 || (text.Length >= 12 && text.Any(char.IsAsciiDigit) && text.Any(char.IsAsciiLetter));

    private static bool IsReference(string text) => Reference().IsMatch(text);

    private static bool IsFilePath(string text) =>
        text.StartsWith('/') || text.StartsWith("./", StringComparison.Ordinal) || text.StartsWith("../", StringComparison.Ordinal)
        || text.StartsWith(@"\\.\pipe\", StringComparison.Ordinal);

    [GeneratedRegex(@"\A\$\{[A-Za-z_][A-Za-z0-9_]*\}\z")]
    private static partial Regex Reference();

    [GeneratedRegex("^v[0-9]+$", RegexOptions.IgnoreCase)]
    private static partial Regex ApiVersion();

    [GeneratedRegex("key|token|secret|pass|pwd|auth|sig|credential", RegexOptions.IgnoreCase)]
    private static partial Regex SecretName();

    // A value ends at ';'; what follows a password without quotes in libpq's blank-separated form is hidden with it.
    [GeneratedRegex("""\b([\w ]*(?:password|pwd|passphrase|secret|token)[\w ]*?)\s*=\s*("(?:[^"]|"")*"|'(?:[^']|'')*'|[^;]*)""", RegexOptions.IgnoreCase)]
    private static partial Regex SecretSetting();
}
