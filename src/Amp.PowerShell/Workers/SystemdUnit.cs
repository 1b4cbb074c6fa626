namespace Amp.PowerShell.Workers;

/// <summary>A worker as a service of systemd: a unit file, and what systemd has to be told.</summary>
internal sealed class SystemdUnit(string nodeId, AmpServiceScope scope) : ServiceEntry(nodeId, scope)
{
    private static bool IsRunning => Directory.Exists("/run/systemd/system");

    /// <inheritdoc/>
    public override string Name => $"{Prefix}{NodeId}.service";

    /// <inheritdoc/>
    public override string Path => System.IO.Path.Combine(Folder(Scope), Name);

    /// <inheritdoc/>
    public override bool Exists => File.Exists(Path);

    /// <summary>Names of all units, without <c>.service</c>.</summary>
    public static IEnumerable<string> Names(AmpServiceScope scope) => !Directory.Exists(Folder(scope)) ? []
        : Directory.EnumerateFiles(Folder(scope), $"{Prefix}*.service").Select(file => System.IO.Path.GetFileNameWithoutExtension(file));

    /// <inheritdoc/>
    public override async Task RegisterAsync(string shell, string module, string configPath, bool start, CancellationToken cancellationToken)
    {
        try
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
            await File.WriteAllTextAsync(Path, Write(shell, Command(module, configPath)), cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotWritable("written", "Run PowerShell as root, or give -Scope User.", e);
        }

        if (IsRunning || start)
        {
            await ControlAsync(cancellationToken, "daemon-reload");
        }

        if (start)
        {
            await ControlAsync(cancellationToken, "enable", "--now", Name);
        }
    }

    /// <inheritdoc/>
    public override async Task UnregisterAsync(CancellationToken cancellationToken)
    {
        if (IsRunning)
        {
            await ControlAsync(cancellationToken, "disable", "--now", Name);
        }

        try
        {
            File.Delete(Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw NotWritable("removed", "Run PowerShell as root.", e);
        }

        if (IsRunning)
        {
            await ControlAsync(cancellationToken, "daemon-reload");
        }
    }

    /// <summary>
    /// Text of the unit. The worker is stopped by SIGTERM, on which it commits what it can; it gets a minute for that. When it
    /// ends by itself, it is started again after five seconds.
    /// </summary>
    private string Write(string shell, string command) =>
        $"""
        # Made by Register-AmpWorkerService; Unregister-AmpWorkerService removes it.
        [Unit]
        Description=Amp worker {NodeId}
        After=network-online.target postgresql.service
        Wants=network-online.target

        [Service]
        Type=exec
        ExecStart={Quote(shell)} -NoProfile -NonInteractive -Command {Quote(command)}
        KillSignal=SIGTERM
        TimeoutStopSec=60
        Restart=always
        RestartSec=5

        [Install]
        WantedBy={(Scope == AmpServiceScope.System ? "multi-user.target" : "default.target")}

        """;

    private Task ControlAsync(CancellationToken cancellationToken, params string[] arguments) =>
        ControlAsync("systemctl", [.. Scope == AmpServiceScope.User ? ["--user"] : Array.Empty<string>(), .. arguments], cancellationToken);

    private AmpException NotWritable(string what, string action, Exception cause) =>
        new("ServiceNotWritable", AmpErrorKind.Denied, $"The service cannot be {what}: {cause.Message}", cause) { Target = Path, RecommendedAction = action };

    private static string Folder(AmpServiceScope scope) => scope == AmpServiceScope.System
        ? "/etc/systemd/system"
        : System.IO.Path.Combine(
            Environment.GetEnvironmentVariable("XDG_CONFIG_HOME") is { Length: > 0 } home ? home
                : System.IO.Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".config"),
            "systemd", "user");

    // systemd replaces % and $ in what it starts, and reads backslashes within quotes.
    private static string Quote(string text) =>
        $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("%", "%%", StringComparison.Ordinal).Replace("$", "$$", StringComparison.Ordinal)}\"";
}
