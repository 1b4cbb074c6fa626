using System.Globalization;

namespace Amp.Configuration;

/// <summary>TOML's values that stand without quotes: booleans, numbers, dates and times.</summary>
internal static class TomlScalar
{
    /// <summary>Reads a value; null when it is none.</summary>
    public static TomlValue? Parse(ReadOnlySpan<char> token, int line)
    {
        if (token is "true" or "false")
        {
            return new TomlBoolean(line, token is "true");
        }

        if (TryParseInteger(token, out var integer))
        {
            return new TomlInteger(line, integer);
        }

        if (TryParseFloat(token, out var number))
        {
            return new TomlFloat(line, number);
        }

        return ParseDateTime(token, line);
    }

    /// <summary>Whether a token is a date, ten characters long.</summary>
    public static bool IsDate(ReadOnlySpan<char> token) => token.Length == 10 && TryParseDate(token, out _);

    /// <summary>What would have been right instead of a token; does not repeat it, as it may be a secret without its quotes.</summary>
    public static string Expected(ReadOnlySpan<char> token)
    {
        if (token.Equals("true", StringComparison.OrdinalIgnoreCase) || token.Equals("false", StringComparison.OrdinalIgnoreCase))
        {
            return "expected true or false in lower case";
        }

        return char.IsAsciiLetter(token[0])
            ? "expected a value; text stands in quotes"
            : "expected a number (64 bits, no leading zeros, '_' only between digits), a date or a time; text stands in quotes";
    }

    private static bool TryParseInteger(ReadOnlySpan<char> token, out long value)
    {
        value = 0;
        var radix = token.Length > 2 && token[0] == '0'
            ? token[1] switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 10 }
            : 10;
        var digits = radix != 10 ? token[2..] : token[0] is '+' or '-' ? token[1..] : token;
        if (!HasDigitsOnly(digits, radix) || (radix == 10 && digits.Length > 1 && digits[0] == '0'))
        {
            return false;
        }

        var negative = token[0] == '-';
        var sum = Int128.Zero;
        foreach (var c in digits)
        {
            if (c != '_')
            {
                sum = (sum * radix) + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
                if (sum > (Int128)long.MaxValue + 1)
                {
                    return false;
                }
            }
        }

        sum = negative ? -sum : sum;
        if (sum > long.MaxValue)
        {
            return false;
        }

        value = (long)sum;
        return true;
    }

    /// <summary>Whether there is at least one digit and '_' stands only between two digits.</summary>
    private static bool HasDigitsOnly(ReadOnlySpan<char> digits, int radix)
    {
        var afterDigit = false;
        foreach (var c in digits)
        {
            var isDigit = radix == 16 ? char.IsAsciiHexDigit(c) : c >= '0' && c < '0' + radix;
            if (!isDigit && (c != '_' || !afterDigit))
            {
                return false;
            }

            afterDigit = isDigit;
        }

        return afterDigit;
    }

    private static bool TryParseFloat(ReadOnlySpan<char> token, out double value)
    {
        var unsigned = token[0] is '+' or '-' ? token[1..] : token;
        if (unsigned is "inf" or "nan")
        {
            value = unsigned is "nan" ? double.NaN : token[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            return true;
        }

        value = 0;
        var exponentAt = unsigned.IndexOfAny('e', 'E');
        var mantissa = exponentAt < 0 ? unsigned : unsigned[..exponentAt];
        if (exponentAt >= 0)
        {
            var exponent = unsigned[(exponentAt + 1)..];
            if (!HasDigitsOnly(exponent is ['+' or '-', ..] ? exponent[1..] : exponent, 10))
            {
                return false;
            }
        }

        var pointAt = mantissa.IndexOf('.');
        var whole = pointAt < 0 ? mantissa : mantissa[..pointAt];
        if ((pointAt < 0 && exponentAt < 0)
            || (pointAt >= 0 && !HasDigitsOnly(mantissa[(pointAt + 1)..], 10))
            || !HasDigitsOnly(whole, 10)
            || (whole.Length > 1 && whole[0] == '0'))
        {
            return false;
        }

        return double.TryParse(token.ToString().Replace("_", "", StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }

    private static TomlDateTime? ParseDateTime(ReadOnlySpan<char> token, int line)
    {
        if (TryParseTime(token, out var timeOnly, out var timeLength))
        {
            return timeLength == token.Length
                ? new TomlDateTime(line, TomlDateTimeKind.LocalTime, DateTime.MinValue + timeOnly, TimeSpan.Zero)
                : null;
        }

        if (token.Length < 10 || !TryParseDate(token[..10], out var date))
        {
            return null;
        }

        if (token.Length == 10)
        {
            return new TomlDateTime(line, TomlDateTimeKind.LocalDate, date, TimeSpan.Zero);
        }

        if (token[10] is not ('T' or 't' or ' ') || !TryParseTime(token[11..], out var time, out var length))
        {
            return null;
        }

        var rest = token[(11 + length)..];
        if (rest.IsEmpty)
        {
            return new TomlDateTime(line, TomlDateTimeKind.LocalDateTime, date + time, TimeSpan.Zero);
        }

        return TryParseOffset(rest, out var offset)
            ? new TomlDateTime(line, TomlDateTimeKind.OffsetDateTime, date + time, offset)
            : null;
    }

    private static bool TryParseDate(ReadOnlySpan<char> text, out DateTime date) =>
        DateTime.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out date);

    /// <summary>Reads <c>HH:MM:SS</c> with an optional fraction from the start of a text.</summary>
    private static bool TryParseTime(ReadOnlySpan<char> text, out TimeSpan time, out int length)
    {
        time = default;
        length = 8;
        if (text.Length < 8 || text[2] != ':' || text[5] != ':'
            || !TryParseTwoDigits(text, 23, out var hours)
            || !TryParseTwoDigits(text[3..], 59, out var minutes)
            || !TryParseTwoDigits(text[6..], 59, out var seconds))
        {
            return false;
        }

        var ticks = 0L;
        if (text.Length > 8 && text[8] == '.')
        {
            length = 9;
            for (var unit = TimeSpan.TicksPerSecond / 10; length < text.Length && char.IsAsciiDigit(text[length]); unit /= 10)
            {
                ticks += unit * (text[length++] - '0');
            }

            if (length == 9)
            {
                return false;
            }
        }

        time = new TimeSpan(hours, minutes, seconds) + TimeSpan.FromTicks(ticks);
        return true;
    }

    private static bool TryParseOffset(ReadOnlySpan<char> text, out TimeSpan offset)
    {
        offset = default;
        if (text is "Z" or "z")
        {
            return true;
        }

        if (text.Length != 6 || text[0] is not ('+' or '-') || text[3] != ':'
            || !TryParseTwoDigits(text[1..], 23, out var hours)
            || !TryParseTwoDigits(text[4..], 59, out var minutes))
        {
            return false;
        }

        offset = new TimeSpan(hours, minutes, 0) * (text[0] == '-' ? -1 : 1);
        return true;
    }

    private static bool TryParseTwoDigits(ReadOnlySpan<char> text, int max, out int value)
    {
        value = char.IsAsciiDigit(text[0]) && char.IsAsciiDigit(text[1]) ? ((text[0] - '0') * 10) + text[1] - '0' : int.MaxValue;
        return value <= max;
    }
}
