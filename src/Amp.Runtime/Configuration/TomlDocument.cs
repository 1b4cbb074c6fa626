using System.Text;

namespace Amp.Configuration;

/// <summary>Reads TOML 1.0. The one place where the rest of Amp meets TOML.</summary>
internal static class TomlDocument
{
    /// <summary>Reads a whole document.</summary>
    /// <param name="utf8">Its bytes; a byte order mark at the start is skipped.</param>
    /// <param name="sourceName">What errors call it: the file's path.</param>
    /// <exception cref="AmpException"><c>InvalidToml</c>: names the source, line, column and what was expected.
    /// Values are never repeated in the message, since they may be secrets.</exception>
    public static TomlTable Parse(ReadOnlySpan<byte> utf8, string sourceName)
    {
        if (utf8.StartsWith(Encoding.UTF8.Preamble))
        {
            utf8 = utf8[Encoding.UTF8.Preamble.Length..];
        }

        CheckEncoding(utf8, sourceName);
        return new TomlParser(Encoding.UTF8.GetString(utf8), sourceName).ParseDocument();
    }

    /// <summary>The error for text that is not TOML.</summary>
    public static AmpException Invalid(string sourceName, int line, int column, string message) =>
        new("InvalidToml", AmpErrorKind.InvalidInput, $"{sourceName} is not valid TOML at line {line}, column {column}: {message}.")
        {
            Target = sourceName,
            RecommendedAction = $"Correct line {line} of {sourceName}.",
        };

    private static void CheckEncoding(ReadOnlySpan<byte> utf8, string sourceName)
    {
        int line = 1, column = 1;
        while (!utf8.IsEmpty)
        {
            if (Rune.DecodeFromUtf8(utf8, out var rune, out var length) != System.Buffers.OperationStatus.Done)
            {
                throw Invalid(sourceName, line, column, "expected UTF-8 text, found bytes that are not UTF-8");
            }

            (line, column) = rune.Value == '\n' ? (line + 1, 1) : (line, column + 1);
            utf8 = utf8[length..];
        }
    }
}
