using System.Management.Automation.Host;
using System.Text;

namespace Amp.PowerShell.Common;

/// <summary>
/// The terminal's second screen for as long as a cmdlet draws on it, and keys meanwhile. Disposing brings back the first
/// screen with all that stood on it, and the cursor. May be used from any thread, by one at a time.
/// </summary>
internal sealed class FullScreen : IDisposable
{
    // Without wrapping: a line too long for a window that just got smaller is cut off and disturbs no other.
    private const string EnterSequence = "\e[?1049h\e[?25l\e[?7l\e[2J";
    private const string LeaveSequence = "\e[?7h\e[?25h\e[?1049l";

    private readonly PSHostUserInterface _ui;
    private Size _drawnIn;

    /// <summary>Goes to the second screen.</summary>
    public FullScreen(PSHostUserInterface ui)
    {
        _ui = ui;
        Control(EnterSequence);
    }

    /// <summary>
    /// How much there is to draw on, as the window is now; its last column stays free, since erasing the rest of a full line
    /// would erase its last character.
    /// </summary>
    public Size Size
    {
        get
        {
            var window = _ui.RawUI.WindowSize;
            return new Size(Math.Max(0, window.Width - 1), Math.Max(0, window.Height));
        }
    }

    /// <summary>The interface of a host that has a terminal to draw on and to read keys from.</summary>
    /// <exception cref="AmpException"><c>TerminalRequired</c>.</exception>
    public static PSHostUserInterface Require(PSHost host) => Unusable(host) is not { } reason
        ? host.UI
        : throw new AmpException("TerminalRequired", AmpErrorKind.InvalidState, $"There is no terminal to draw on: {reason}.")
        {
            Target = host.Name,
            RecommendedAction = "Watch-AmpJobProgress follows jobs as objects: Get-AmpJob -Status Running | Watch-AmpJobProgress. Get-AmpJobProgress gives how far they are now.",
        };

    /// <summary>Draws all lines at once; as many as the window has.</summary>
    public void Draw(IReadOnlyList<string> lines)
    {
        var size = Size;
        var frame = new StringBuilder(_drawnIn == size ? "\e[H" : "\e[2J\e[H");
        _drawnIn = size;
        _ui.Write(frame.AppendJoin("\e[K\r\n", lines).Append("\e[J").ToString());
    }

    /// <summary>The next key that was pressed and not read yet; null when there is none.</summary>
    public ConsoleKey? ReadKey()
    {
        while (_ui.RawUI.KeyAvailable)
        {
            // On Windows, the release of a key is available as well, and reading presses only would wait for the next one.
            var key = _ui.RawUI.ReadKey(ReadKeyOptions.NoEcho | ReadKeyOptions.IncludeKeyDown | ReadKeyOptions.IncludeKeyUp);
            if (key.KeyDown)
            {
                return (ConsoleKey)key.VirtualKeyCode;
            }
        }

        return null;
    }

    public void Dispose() => Control(LeaveSequence);

    private static string? Unusable(PSHost host)
    {
        // Hosts do not say whether they are redirected, only the console does.
        if (Console.IsOutputRedirected)
        {
            return "the output goes to a file or another program";
        }

        if (Console.IsInputRedirected)
        {
            return "the input comes from a file or another program";
        }

        try
        {
            _ = host.UI.RawUI.KeyAvailable;
            return host.UI.RawUI.WindowSize is not { Width: > 0, Height: > 0 } ? "its window has no size"
                : host.UI.SupportsVirtualTerminal ? null
                : "this one does not understand escape sequences";
        }
        catch (Exception e) when (e is HostException or NotImplementedException or InvalidOperationException or IOException)
        {
            return $"the host '{host.Name}' has none";
        }
    }

    /// <summary>Writes a sequence to the console itself: with $PSStyle.OutputRendering PlainText, hosts leave out all but the simplest ones.</summary>
    private static void Control(string sequence)
    {
        Console.Out.Write(sequence);
        Console.Out.Flush();
    }
}
