using System.Globalization;
using System.Text;

namespace Amp.Configuration;

/// <summary>One pass over a TOML document: headers, keys and values by recursive descent; scalars by <see cref="TomlScalar"/>.</summary>
internal sealed class TomlParser(string text, string sourceName)
{
    /// <summary>Arrays and inline tables inside one another; deeper nesting is refused rather than overflowing the stack.</summary>
    private const int MaxDepth = 200;

    private const char End = '\uFFFF';

    private readonly TomlTable _root = new(1, TomlTableOrigin.Header);
    private int _position;
    private int _line = 1;
    private int _lineStart;
    private int _depth;

    private char Current => _position < text.Length ? text[_position] : End;

    private bool AtEnd => _position >= text.Length;

    public TomlTable ParseDocument()
    {
        var table = _root;
        while (true)
        {
            SkipBlankLines();
            if (AtEnd)
            {
                return _root;
            }

            if (Current == '[')
            {
                table = ParseHeader();
            }
            else
            {
                ParseKeyValue(table);
            }

            ExpectEndOfLine();
        }
    }

    private TomlTable ParseHeader()
    {
        var start = _position;
        var line = _line;
        _position++;
        var isArray = Current == '[';
        _position += isArray ? 1 : 0;
        var path = ParseKey();
        Expect(']', isArray ? "']]' after the name of the array of tables" : "']' after the table's name");
        if (isArray)
        {
            Expect(']', "']]' after the name of the array of tables");
        }

        var parent = _root;
        foreach (var key in path[..^1])
        {
            parent = EnterHeaderPath(parent, key, start);
        }

        var name = path[^1];
        return isArray ? AddArrayElement(parent, name, line, start) : DefineTable(parent, name, line, start);
    }

    private TomlTable EnterHeaderPath(TomlTable table, Key key, int at)
    {
        if (!table.TryGet(key.Name, out var entry))
        {
            var added = new TomlTable(key.Line, TomlTableOrigin.HeaderPath);
            table.Add(new TomlEntry(key.Name, key.Line, added));
            return added;
        }

        return entry.Value switch
        {
            TomlTable { Origin: not TomlTableOrigin.Inline } found => found,
            TomlArray { IsTableArray: true } array => (TomlTable)array.Items[^1],
            _ => throw Fail(at, $"expected a name that can hold tables, but '{key.Name}' is {Complete(entry.Value)} since line {entry.KeyLine}"),
        };
    }

    private TomlTable DefineTable(TomlTable parent, Key name, int line, int at)
    {
        if (!parent.TryGet(name.Name, out var entry))
        {
            var table = new TomlTable(line, TomlTableOrigin.Header);
            parent.Add(new TomlEntry(name.Name, line, table));
            return table;
        }

        if (entry.Value is TomlTable { Origin: TomlTableOrigin.HeaderPath } found)
        {
            found.Origin = TomlTableOrigin.Header;
            return found;
        }

        throw Fail(at, $"expected a new table, but '{name.Name}' is defined in line {entry.KeyLine} already");
    }

    private TomlTable AddArrayElement(TomlTable parent, Key name, int line, int at)
    {
        var table = new TomlTable(line, TomlTableOrigin.Header);
        if (!parent.TryGet(name.Name, out var entry))
        {
            parent.Add(new TomlEntry(name.Name, line, new TomlArray(line, [table], IsTableArray: true)));
        }
        else if (entry.Value is TomlArray { IsTableArray: true } array)
        {
            array.Items.Add(table);
        }
        else
        {
            throw Fail(at, $"expected an array of tables, but '{name.Name}' is {Complete(entry.Value)} since line {entry.KeyLine}");
        }

        return table;
    }

    private void ParseKeyValue(TomlTable table)
    {
        var start = _position;
        var path = ParseKey();
        Expect('=', "'=' after the key");
        SkipSpaces();
        foreach (var key in path[..^1])
        {
            table = EnterDottedKey(table, key, start);
        }

        var name = path[^1];
        if (table.TryGet(name.Name, out var existing))
        {
            throw Fail(start, $"expected a new key, but '{name.Name}' is defined in line {existing.KeyLine} already");
        }

        table.Add(new TomlEntry(name.Name, name.Line, ParseValue()));
    }

    private TomlTable EnterDottedKey(TomlTable table, Key key, int at)
    {
        if (!table.TryGet(key.Name, out var entry))
        {
            var added = new TomlTable(key.Line, TomlTableOrigin.DottedKey);
            table.Add(new TomlEntry(key.Name, key.Line, added));
            return added;
        }

        return entry.Value is TomlTable { Origin: TomlTableOrigin.DottedKey } found
            ? found
            : throw Fail(at, $"expected a name that dotted keys can add to, but '{key.Name}' is {Complete(entry.Value)} since line {entry.KeyLine}");
    }

    private List<Key> ParseKey()
    {
        var path = new List<Key>();
        while (true)
        {
            SkipSpaces();
            path.Add(new Key(ParseSimpleKey(), _line));
            SkipSpaces();
            if (Current != '.')
            {
                return path;
            }

            _position++;
        }
    }

    private string ParseSimpleKey()
    {
        if (Current is '"' or '\'')
        {
            return IsAt(new string(Current, 3))
                ? throw Fail(_position, "expected a key, found a multi-line string")
                : ParseSingleLineString();
        }

        var start = _position;
        while (char.IsAsciiLetterOrDigit(Current) || Current is '_' or '-')
        {
            _position++;
        }

        return _position > start
            ? text[start.._position]
            : throw Fail(_position, $"expected a key (letters, digits, '_', '-', or in quotes), found {Found()}");
    }

    private TomlValue ParseValue()
    {
        switch (Current)
        {
            case '"' or '\'':
                var line = _line;
                return new TomlString(line, IsAt(new string(Current, 3)) ? ParseMultiLineString() : ParseSingleLineString());
            case '[':
                return Nested(ParseArray);
            case '{':
                return Nested(ParseInlineTable);
            default:
                return ParseScalar();
        }
    }

    private TomlValue Nested(Func<TomlValue> parse)
    {
        if (++_depth > MaxDepth)
        {
            throw Fail(_position, $"expected at most {MaxDepth} arrays and inline tables inside one another");
        }

        var value = parse();
        _depth--;
        return value;
    }

    private TomlArray ParseArray()
    {
        var array = new TomlArray(_line, []);
        _position++;
        while (true)
        {
            SkipBlankLines();
            if (Current == ']')
            {
                _position++;
                return array;
            }

            array.Items.Add(ParseValue());
            SkipBlankLines();
            if (Current == ',')
            {
                _position++;
            }
            else if (Current != ']')
            {
                throw Fail(_position, $"expected ',' or ']' in the array, found {Found()}");
            }
        }
    }

    private TomlTable ParseInlineTable()
    {
        var table = new TomlTable(_line, TomlTableOrigin.Inline);
        _position++;
        SkipSpaces();
        if (Current == '}')
        {
            _position++;
            return table;
        }

        while (true)
        {
            ParseKeyValue(table);
            SkipSpaces();
            if (Current == '}')
            {
                _position++;
                return table;
            }

            Expect(',', "',' or '}' in the inline table");
        }
    }

    private TomlValue ParseScalar()
    {
        var start = _position;
        while (IsScalarCharacter(Current))
        {
            _position++;
        }

        // A space may stand between date and time.
        if (Current == ' ' && TomlScalar.IsDate(text.AsSpan(start, _position - start))
            && _position + 1 < text.Length && char.IsAsciiDigit(text[_position + 1]))
        {
            _position++;
            while (IsScalarCharacter(Current))
            {
                _position++;
            }
        }

        var token = text.AsSpan(start, _position - start);
        if (token.IsEmpty)
        {
            throw Fail(start, $"expected a value, found {Found()}");
        }

        return TomlScalar.Parse(token, _line) ?? throw Fail(start, TomlScalar.Expected(token));
    }

    private static bool IsScalarCharacter(char c) =>
        char.IsAsciiLetterOrDigit(c) || c is '+' or '-' or '_' or '.' or ':';

    private string ParseSingleLineString()
    {
        var start = _position;
        var quote = Current;
        var value = new StringBuilder();
        _position++;
        while (Current != quote)
        {
            if (AtEnd || Current is '\n' or '\r')
            {
                throw Fail(start, $"expected a closing {quote} in the same line");
            }

            if (quote == '"' && Current == '\\')
            {
                ParseEscape(value);
            }
            else
            {
                AppendCharacter(value);
            }
        }

        _position++;
        return value.ToString();
    }

    private string ParseMultiLineString()
    {
        var (start, startLine, startLineStart) = (_position, _line, _lineStart);
        var quote = Current;
        var delimiter = new string(quote, 3);
        var value = new StringBuilder();
        _position += 3;
        TryNewLine();
        while (true)
        {
            if (AtEnd)
            {
                (_line, _lineStart) = (startLine, startLineStart);
                throw Fail(start, $"expected a closing {delimiter}");
            }

            if (IsAt(delimiter))
            {
                break;
            }

            if (TryNewLine())
            {
                value.Append('\n');
            }
            else if (quote == '"' && Current == '\\')
            {
                if (!TrySkipLineEndingBackslash())
                {
                    ParseEscape(value);
                }
            }
            else
            {
                AppendCharacter(value);
            }
        }

        _position += 3;
        for (var extra = 0; extra < 2 && Current == quote; extra++)
        {
            value.Append(quote);
            _position++;
        }

        return value.ToString();
    }

    /// <summary>A backslash before the line's end takes away everything up to the next character that is not white.</summary>
    private bool TrySkipLineEndingBackslash()
    {
        var next = _position + 1;
        while (next < text.Length && text[next] is ' ' or '\t')
        {
            next++;
        }

        if (next >= text.Length || text[next] is not ('\n' or '\r'))
        {
            return false;
        }

        _position = next;
        do
        {
            SkipSpaces();
        }
        while (TryNewLine());
        return true;
    }

    private void ParseEscape(StringBuilder value)
    {
        var start = _position;
        _position++;
        var letter = Current;
        _position++;
        switch (letter)
        {
            case 'b':
                value.Append('\b');
                break;
            case 't':
                value.Append('\t');
                break;
            case 'n':
                value.Append('\n');
                break;
            case 'f':
                value.Append('\f');
                break;
            case 'r':
                value.Append('\r');
                break;
            case '"' or '\\':
                value.Append(letter);
                break;
            case 'u' or 'U':
                var digits = letter == 'u' ? 4 : 8;
                if (_position + digits > text.Length
                    || !uint.TryParse(text.AsSpan(_position, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
                    || !Rune.IsValid(code))
                {
                    throw Fail(start, $"expected a Unicode character as {digits} hex digits after \\{letter}");
                }

                value.Append(new Rune(code).ToString());
                _position += digits;
                break;
            default:
                throw Fail(start, "expected one of the escapes \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX");
        }
    }

    private void AppendCharacter(StringBuilder value)
    {
        RefuseControlCharacter();
        value.Append(Current);
        _position++;
    }

    private void SkipSpaces()
    {
        while (Current is ' ' or '\t')
        {
            _position++;
        }
    }

    /// <summary>Skips spaces, line ends and comments.</summary>
    private void SkipBlankLines()
    {
        do
        {
            SkipSpaces();
            SkipComment();
        }
        while (TryNewLine());
    }

    private void SkipComment()
    {
        if (Current != '#')
        {
            return;
        }

        while (!AtEnd && Current != '\n' && !IsAt("\r\n"))
        {
            RefuseControlCharacter();
            _position++;
        }
    }

    private bool TryNewLine()
    {
        var length = Current == '\n' ? 1 : IsAt("\r\n") ? 2 : 0;
        if (length == 0)
        {
            return false;
        }

        _position += length;
        _line++;
        _lineStart = _position;
        return true;
    }

    private void ExpectEndOfLine()
    {
        SkipSpaces();
        SkipComment();
        if (!AtEnd && !TryNewLine())
        {
            throw Fail(_position, $"expected the end of the line, found {Found()}");
        }
    }

    private void Expect(char expected, string description)
    {
        if (Current != expected || AtEnd)
        {
            throw Fail(_position, $"expected {description}, found {Found()}");
        }

        _position++;
    }

    private void RefuseControlCharacter()
    {
        if (Current is (< ' ' and not '\t') or '\x7f')
        {
            throw Fail(_position, $"expected printable text, found the control character U+{(int)Current:X4}");
        }
    }

    private bool IsAt(string expected) => string.CompareOrdinal(text, _position, expected, 0, expected.Length) == 0;

    private string Found() => AtEnd
        ? "the end of the file"
        : Current switch
        {
            '\n' or '\r' => "the end of the line",
            < ' ' or '\x7f' => $"the control character U+{(int)Current:X4}",
            _ => $"'{(Rune.TryGetRuneAt(text, _position, out var rune) ? rune : Rune.ReplacementChar)}'",
        };

    private static string Complete(TomlValue value) =>
        value is TomlTable { Origin: TomlTableOrigin.Inline } ? "a complete inline table" : value.Description;

    private AmpException Fail(int position, string message)
    {
        var column = 1;
        for (var i = _lineStart; i < Math.Min(position, text.Length); i++)
        {
            column += char.IsLowSurrogate(text[i]) ? 0 : 1;
        }

        return TomlDocument.Invalid(sourceName, _line, column, message);
    }

    private readonly record struct Key(string Name, int Line);
}
