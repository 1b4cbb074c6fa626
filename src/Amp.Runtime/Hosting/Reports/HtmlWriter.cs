using System.Text;
using System.Xml;

namespace Amp.Hosting.Reports;

/// <summary>
/// Writes HTML that is well-formed XML as well. What is handed in as text or as an attribute's value stays that, whatever it looks like;
/// characters that a page cannot have become U+FFFD, and more than <see cref="MostText"/> of them an ellipsis.
/// </summary>
internal sealed class HtmlWriter : IDisposable
{
    /// <summary>Most characters of one text.</summary>
    public const int MostText = 2_000;

    private readonly XmlWriter _xml;

    /// <summary>Begins a page.</summary>
    /// <param name="stream">Where it goes; stays open.</param>
    public HtmlWriter(Stream stream)
    {
        _xml = XmlWriter.Create(stream, new XmlWriterSettings
        {
            Encoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
            OmitXmlDeclaration = true,
            NewLineHandling = NewLineHandling.None,
        });
        _xml.WriteDocType("html", null, null, null);
    }

    /// <summary>Begins an element, which ends when the result is disposed.</summary>
    public Scope Element(string name, string? @class = null, params ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        Begin(name, @class, attributes);
        return new Scope(_xml);
    }

    /// <summary>Writes an element with nothing but text in it.</summary>
    public void Leaf(string name, string? text, string? @class = null, params ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        Begin(name, @class, attributes);
        Text(text);
        _xml.WriteFullEndElement();
    }

    /// <summary>Writes an element that never has content: <c>meta</c>, or a shape of a drawing.</summary>
    public void Void(string name, string? @class = null, params ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        Begin(name, @class, attributes);
        _xml.WriteEndElement();
    }

    /// <summary>Writes text.</summary>
    public void Text(string? text) => _xml.WriteString(Clean(text));

    /// <summary>Writes a style sheet of ours; browsers read it as it is, so it must not have <c>&lt;</c> or <c>&amp;</c>.</summary>
    public void Style(string css)
    {
        _xml.WriteStartElement("style");
        _xml.WriteRaw(css);
        _xml.WriteFullEndElement();
    }

    /// <inheritdoc/>
    public void Dispose() => _xml.Dispose();

    private void Begin(string name, string? @class, ReadOnlySpan<(string Name, string? Value)> attributes)
    {
        _xml.WriteStartElement(name);
        if (@class is not null)
        {
            _xml.WriteAttributeString("class", @class);
        }

        foreach (var (attribute, value) in attributes)
        {
            if (value is not null)
            {
                _xml.WriteAttributeString(attribute, Clean(value));
            }
        }
    }

    private static string Clean(string? text)
    {
        text ??= "";
        var clean = new StringBuilder(Math.Min(text.Length, MostText + 1));
        foreach (var rune in text.Length > MostText ? string.Concat(text.AsSpan(0, MostText), "…").EnumerateRunes() : text.EnumerateRunes())
        {
            var isLegal = rune.Value is '\t' or '\n' or '\r' or >= 0x20 and not (0x7F or 0xFFFE or 0xFFFF);
            clean.Append(isLegal ? rune.ToString() : "\uFFFD");
        }

        return clean.ToString();
    }

    /// <summary>An element that has begun.</summary>
    internal readonly struct Scope(XmlWriter xml) : IDisposable
    {
        /// <summary>Ends it.</summary>
        public void Dispose() => xml.WriteFullEndElement();
    }
}
