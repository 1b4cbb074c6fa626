using System.Globalization;
using System.Text;

namespace Amp.Datasets;

/// <summary>
/// Writes JSON byte for byte as serde_json does, by which existing deployments hash manifests: no blanks, members in
/// the order they are written, only <c>"</c>, <c>\</c> and control characters escaped.
/// </summary>
internal sealed class CanonicalJsonWriter
{
    private readonly StringBuilder _text = new();

    public CanonicalJsonWriter Raw(string json)
    {
        _text.Append(json);
        return this;
    }

    public CanonicalJsonWriter Number(ulong value)
    {
        _text.Append(CultureInfo.InvariantCulture, $"{value}");
        return this;
    }

    public CanonicalJsonWriter Boolean(bool value) => Raw(value ? "true" : "false");

    public CanonicalJsonWriter Text(string value)
    {
        _text.Append('"');
        foreach (var c in value)
        {
            _ = c switch
            {
                '"' or '\\' => _text.Append('\\').Append(c),
                '\b' => _text.Append("\\b"),
                '\t' => _text.Append("\\t"),
                '\n' => _text.Append("\\n"),
                '\f' => _text.Append("\\f"),
                '\r' => _text.Append("\\r"),
                < ' ' => _text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => _text.Append(c),
            };
        }

        _text.Append('"');
        return this;
    }

    public byte[] ToUtf8() => Encoding.UTF8.GetBytes(_text.ToString());

    /// <inheritdoc/>
    public override string ToString() => _text.ToString();
}
