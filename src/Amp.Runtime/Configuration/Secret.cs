using System.Net;
using System.Security;

namespace Amp.Configuration;

/// <summary>
/// A value that must not be seen: a password, a token, a URL that holds one. Printing, formatting or serializing it
/// shows at most a redacted form; the value itself comes out of <see cref="Reveal"/> alone.
/// </summary>
public sealed class Secret : IEquatable<Secret>
{
    private readonly string _value;
    private readonly string _shown;

    /// <summary>Wraps a secret that is shown as <c>***</c>.</summary>
    public Secret(string value)
        : this(value, Redaction.Mask)
    {
    }

    private Secret(string value, string shown)
    {
        _value = value;
        _shown = shown;
    }

    /// <summary>Wraps a URL that is shown without the secrets in it (<see cref="Redaction.Url"/>).</summary>
    public static Secret ForUrl(string url) => new(url, Redaction.Url(url));

    /// <summary>Wraps what a user typed or a secret store gave.</summary>
    public static Secret From(SecureString value) => new(new NetworkCredential("", value).Password);

    /// <summary>The value. Never pass it to a log, a message or an object that a user sees.</summary>
    public string Reveal() => _value;

    /// <summary>The redacted form.</summary>
    public override string ToString() => _shown;

    /// <inheritdoc/>
    public bool Equals(Secret? other) => other is not null && _value == other._value;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Secret);

    /// <inheritdoc/>
    public override int GetHashCode() => _value.GetHashCode(StringComparison.Ordinal);
}
