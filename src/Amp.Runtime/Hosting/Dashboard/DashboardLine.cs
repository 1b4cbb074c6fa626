using System.Text;

namespace Amp.Hosting.Dashboard;

/// <summary>A line that is written from left to right and never gets wider than it may be.</summary>
internal sealed class DashboardLine(int width, DashboardStyle style)
{
    private readonly StringBuilder _text = new();
    private int _used;

    /// <summary>How many cells are left.</summary>
    public int Left => width - _used;

    /// <summary>Writes as much of a text as there is room for.</summary>
    /// <param name="text">The text; control characters in it become blanks.</param>
    /// <param name="colour">A sequence of the style; empty for none.</param>
    public DashboardLine Add(string text, string colour = "")
    {
        text = Fit(text, Left);
        _used += text.Length;
        _text.Append(text.Length > 0 ? colour : "").Append(text).Append(text.Length > 0 && colour.Length > 0 ? style.Reset : "");
        return this;
    }

    /// <summary>Writes a cell of a table and a blank.</summary>
    /// <param name="text">The text.</param>
    /// <param name="size">Width of the cell.</param>
    /// <param name="colour">A sequence of the style; empty for none.</param>
    public DashboardLine Cell(string text, int size, string colour = "") => Add(Fit(text, size), colour).Add(new string(' ', Math.Max(0, size - text.Length) + 1));

    /// <summary>Writes a number's cell, which is aligned to the right, and a blank.</summary>
    /// <param name="text">The text.</param>
    /// <param name="size">Width of the cell.</param>
    /// <param name="colour">A sequence of the style; empty for none.</param>
    public DashboardLine Number(string text, int size, string colour = "") => Add(new string(' ', Math.Max(0, size - text.Length))).Add(Fit(text, size), colour).Add(" ");

    /// <summary>Writes a text at the right end, if there is room for it.</summary>
    /// <param name="text">The text.</param>
    /// <param name="colour">A sequence of the style; empty for none.</param>
    public DashboardLine AtEnd(string text, string colour = "") => text.Length < Left ? Add(new string(' ', Left - text.Length)).Add(text, colour) : this;

    /// <inheritdoc/>
    public override string ToString() => _text.ToString().TrimEnd();

    private static string Fit(string text, int size)
    {
        // What somebody else wrote must not move the cursor.
        var clean = text.Any(char.IsControl) ? string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c)) : text;
        return clean.Length <= size ? clean
            : size == 0 || clean.AsSpan(size - 1).IsWhiteSpace() ? clean[..size]
            : clean[..(size - 1)] + "…";
    }
}
