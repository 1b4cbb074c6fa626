using System.Net;
using System.Text.RegularExpressions;

namespace Amp.BackgroundJobs.Campaigns;

/// <summary>A text with placeholders, <c>{{name}}</c>. Nothing else in it means anything.</summary>
/// <param name="source">Its file, for messages.</param>
/// <param name="text">The text.</param>
internal sealed partial class EmailTemplate(string source, string text)
{
    private const string SubjectLabel = "Subject:";

    /// <summary>Fills a plain template, whose first line is the subject.</summary>
    /// <exception cref="JobRefusal">It has no subject, or a placeholder that has no value; names file, line and placeholder.</exception>
    public (string Subject, string Text) FillPlain(IReadOnlyDictionary<string, string> values)
    {
        var end = text.IndexOf('\n', StringComparison.Ordinal);
        var (first, body) = end < 0 ? (text, "") : (text[..end], text[(end + 1)..]);
        if (!first.StartsWith(SubjectLabel, StringComparison.OrdinalIgnoreCase) || string.IsNullOrWhiteSpace(first[SubjectLabel.Length..]))
        {
            throw new JobRefusal($"Template {source}, line 1: it must be the subject, such as '{SubjectLabel} Welcome'.");
        }

        // A value cannot begin another header.
        var subject = Fill(first[SubjectLabel.Length..].Trim(), 1, values, OneLine);
        return (subject, Fill(body, 2, values, value => value).TrimStart('\n'));
    }

    /// <summary>Fills an HTML template; values stand in it as text, whatever they hold.</summary>
    /// <exception cref="JobRefusal">It has a placeholder that has no value; names file, line and placeholder.</exception>
    public string FillHtml(IReadOnlyDictionary<string, string> values) => Fill(text, 1, values, WebUtility.HtmlEncode);

    /// <summary>A text with its line breaks and other control characters as spaces.</summary>
    public static string OneLine(string value) => ControlCharacters().Replace(value, " ");

    private string Fill(string part, int firstLine, IReadOnlyDictionary<string, string> values, Func<string, string> encode) =>
        Placeholder().Replace(part, match =>
        {
            if (match.Groups["end"].Success && values.TryGetValue(match.Groups["name"].Value.Trim(), out var value))
            {
                return encode(value);
            }

            var line = firstLine + part.AsSpan(0, match.Index).Count('\n');
            throw new JobRefusal(match.Groups["end"].Success
                ? $"Template {source}, line {line}: there is no value for {match.Value}. There are: {string.Join(", ", values.Keys.Order(StringComparer.Ordinal))}."
                : $"Template {source}, line {line}: {match.Value} is not closed by }}}}.");
        });

    [GeneratedRegex(@"\{\{(?!\{)(?<name>[^{}\n]*)(?<end>\}\})?", RegexOptions.CultureInvariant)]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"\p{Cc}+", RegexOptions.CultureInvariant)]
    private static partial Regex ControlCharacters();
}
