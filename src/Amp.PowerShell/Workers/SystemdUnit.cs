using System.Diagnostics;

namespace Amp.PowerShell.Workers;

/// <summary>A worker as a service of systemd: its unit file, and what has to be told to systemd.</summary>
internal sealed class SystemdUnit
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly AmpServiceScope _scope;

    private SystemdUnit(string nodeId, AmpServiceScope scope)
    {
        NodeId = nodeId;
        _scope = scope;
        Name = $"amp-worker-{nodeId}.service";
        Path = System.IO.Path.Combine(Folder(scope), Name);
    }

    /// <summary>The worker's node id.</summary>
    public string NodeId { get; }

    /// <summary>The unit's name.</summary>
    public string Name { get; }

    /// <summary>The unit's file.</summary>
    public string Path { get; }

    /// <summary>Whether systemd runs this machine.</summary>
    public static bool IsRunning => Directory.Exists("/run/systemd/system");

    /// <summary>The unit of a worker; throws <c>ServicesNotSupported</c> where there is no systemd.</summary>
    public static SystemdUnit Of(string nodeId, AmpServiceScope scope) => OperatingSystem.IsLinux()
        ? new SystemdUnit(Configuration.NodeId.Validate(nodeId), scope)
        : throw new AmpException("ServicesNotSupported", AmpErrorKind.InvalidState, "Services can be registered with systemd only, which this machine does not have.")
        {
            RecommendedAction = $"Let the system's own service manager run: pwsh -NoProfile -Command \"Start-AmpWorker {nodeId} -ConfigPath … -Wait\"",
        };

    /// <summary>Node ids of the workers that have a unit.</summary>
    public static IEnumerable<string> NodeIds(AmpServiceScope scope) => !Directory.Exists(Folder(scope)) ? [] : Directory
        .EnumerateFiles(Folder(scope), "amp-worker-*.service")
        .Select(file => System.IO.Path.GetFileNameWithoutExtension(file)["amp-worker-".Length..]).Order(StringComparer.Ordinal);

    /// <summary>What cmdlets show.</summary>
    public AmpWorkerService Describe() => new() { NodeId = NodeId, Name = Name, Scope = _scope, Path = Path };

    /// <summary>
    /// Text of the unit. The worker is stopped by SIGTERM, on which it commits what it can; it gets a minute for that. When it
    /// ends by itself, it is started again after five seconds.
    /// </summary>
    /// <param name="shell">PowerShell's program.</param>
    /// <param name="module">The module's manifest.</param>
    /// <param name="configPath">The configuration file.</param>
    public string Write(string shell, string module, string configPath) =>
        $"""
        # Made by Register-AmpWorkerService; Unregister-AmpWorkerService removes it.
        [Unit]
        Description=Amp worker {NodeId}
        After=network-online.target postgresql.service
        Wants=network-online.target

        [Service]
        Type=exec
        ExecStart={Quote(shell)} -NoProfile -NonInteractive -Command {Quote($"Import-Module {Literal(module)}; Start-AmpWorker -NodeId {Literal(NodeId)} -ConfigPath {Literal(configPath)} -Wait")}
        KillSignal=SIGTERM
        TimeoutStopSec=60
        Restart=always
        RestartSec=5

        [Install]
        WantedBy={(_scope == AmpServiceScope.System ? "multi-user.target" : "default.target")}

        """;

    /// <summary>Tells systemd something; throws <c>SystemdFailed</c> with what it answered.</summary>
    public async Task ControlAsync(CancellationToken cancellationToken, params string[] arguments)
    {
        string[] all = [.. _scope == AmpServiceScope.User ? ["--user"] : Array.Empty<string>(), .. arguments];
        var command = $"systemctl {string.Join(' ', all)}";
        try
        {
            using var process = Process.Start(new ProcessStartInfo("systemctl", all) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken).WaitAsync(Patience, cancellationToken);
            if (process.ExitCode != 0)
            {
                throw Failed((await errors).Trim());
            }
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or TimeoutException)
        {
            throw Failed(e.Message);
        }

        AmpException Failed(string reason) => new("SystemdFailed", AmpErrorKind.Unavailable, $"'{command}' failed: {reason}")
        {
            Target = Name,
            RecommendedAction = $"Run it by hand: {command}",
        };
    }

    private static string Folder(AmpServiceScope scope) => scope == AmpServiceScope.System
        ? "/etc/systemd/system"
        : System.IO.Path.Combine(
            Environment.GetEnvironmentVariable("XDG_CONFIG_HOME") is { Length: > 0 } home ? home
                : System.IO.Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".config"),
            "systemd", "user");

    // systemd replaces % and $ in what it starts, and reads backslashes within quotes.
    private static string Quote(string text) =>
        $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("%", "%%", StringComparison.Ordinal).Replace("$", "$$", StringComparison.Ordinal)}\"";

    private static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
