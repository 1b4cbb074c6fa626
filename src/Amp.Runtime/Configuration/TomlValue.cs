using System.Diagnostics.CodeAnalysis;

namespace Amp.Configuration;

/// <summary>A value of a TOML document and where it stands.</summary>
/// <param name="Line">Line of the value's first character, from 1.</param>
internal abstract record TomlValue(int Line)
{
    /// <summary>What the value is, with its article, for messages: <c>an integer</c>.</summary>
    public abstract string Description { get; }
}

/// <summary>Text.</summary>
internal sealed record TomlString(int Line, string Value) : TomlValue(Line)
{
    /// <inheritdoc/>
    public override string Description => "text";
}

/// <summary>A 64-bit integer.</summary>
internal sealed record TomlInteger(int Line, long Value) : TomlValue(Line)
{
    /// <inheritdoc/>
    public override string Description => "an integer";
}

/// <summary>A 64-bit floating-point number, infinity or not a number.</summary>
internal sealed record TomlFloat(int Line, double Value) : TomlValue(Line)
{
    /// <inheritdoc/>
    public override string Description => "a number";
}

/// <summary>true or false.</summary>
internal sealed record TomlBoolean(int Line, bool Value) : TomlValue(Line)
{
    /// <inheritdoc/>
    public override string Description => "true or false";
}

/// <summary>Which of the four kinds of date and time a <see cref="TomlDateTime"/> is.</summary>
internal enum TomlDateTimeKind
{
    /// <summary>Date, time and offset from UTC.</summary>
    OffsetDateTime,

    /// <summary>Date and time without an offset.</summary>
    LocalDateTime,

    /// <summary>A date.</summary>
    LocalDate,

    /// <summary>A time of day.</summary>
    LocalTime,
}

/// <summary>A date, a time of day, or both.</summary>
/// <param name="Line">Line of the value's first character, from 1.</param>
/// <param name="Kind">Which parts it has.</param>
/// <param name="Clock">What calendar and clock show; the date is 0001-01-01 for a time of day. Digits past 100 ns are cut off.</param>
/// <param name="Offset">Offset from UTC; zero where there is none.</param>
internal sealed record TomlDateTime(int Line, TomlDateTimeKind Kind, DateTime Clock, TimeSpan Offset) : TomlValue(Line)
{
    /// <inheritdoc/>
    public override string Description => "a date or time";
}

/// <summary>An array; <paramref name="IsTableArray"/> for one written as <c>[[header]]</c>s.</summary>
internal sealed record TomlArray(int Line, List<TomlValue> Items, bool IsTableArray = false) : TomlValue(Line)
{
    /// <inheritdoc/>
    public override string Description => "an array";
}

/// <summary>How a table came to be, which decides what may be added to it.</summary>
internal enum TomlTableOrigin
{
    /// <summary>Named by a <c>[header]</c>, or the document itself: complete when the next header begins.</summary>
    Header,

    /// <summary>Only part of the path of a header; may be named by a header of its own once.</summary>
    HeaderPath,

    /// <summary>Made by a dotted key; further dotted keys may add to it, a header may not name it.</summary>
    DottedKey,

    /// <summary>Written in braces: complete.</summary>
    Inline,
}

/// <summary>A key and its value in a table.</summary>
/// <param name="Key">The key, without dots or quotes.</param>
/// <param name="KeyLine">Line of the key, from 1.</param>
/// <param name="Value">The value.</param>
internal readonly record struct TomlEntry(string Key, int KeyLine, TomlValue Value);

/// <summary>A table: keys in the order in which they were first seen.</summary>
[SuppressMessage("Naming", "CA1710:Identifiers should have correct suffix", Justification = "TOML calls it a table")]
internal sealed record TomlTable(int Line, TomlTableOrigin Origin) : TomlValue(Line)
{
    private readonly Dictionary<string, int> _index = new(StringComparer.Ordinal);
    private readonly List<TomlEntry> _entries = [];

    /// <inheritdoc/>
    public override string Description => "a table";

    /// <summary>How it came to be.</summary>
    public TomlTableOrigin Origin { get; set; } = Origin;

    /// <summary>Keys and values in the order of the document.</summary>
    public IReadOnlyList<TomlEntry> Entries => _entries;

    /// <summary>The entry with a key; false when there is none.</summary>
    public bool TryGet(string key, out TomlEntry entry)
    {
        var found = _index.TryGetValue(key, out var position);
        entry = found ? _entries[position] : default;
        return found;
    }

    /// <summary>Adds a key that is not there yet.</summary>
    public void Add(TomlEntry entry)
    {
        _index.Add(entry.Key, _entries.Count);
        _entries.Add(entry);
    }
}
