using System.Diagnostics;

namespace Amp.PowerShell.Workers;

/// <summary>A worker as the machine's service manager knows it: a unit of systemd, or a service of Windows.</summary>
internal abstract class ServiceEntry(string nodeId, AmpServiceScope scope)
{
    /// <summary>What names of services begin with.</summary>
    protected const string Prefix = "amp-worker-";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>The worker's node id.</summary>
    public string NodeId { get; } = nodeId;

    /// <summary>Whose service manager it is.</summary>
    protected AmpServiceScope Scope { get; } = scope;

    /// <summary>The service's name.</summary>
    public abstract string Name { get; }

    /// <summary>Where it is described.</summary>
    public abstract string Path { get; }

    /// <summary>Whether there is such a service.</summary>
    public abstract bool Exists { get; }

    /// <summary>The service of a worker, whether it is there or not.</summary>
    /// <exception cref="AmpException"><c>InvalidNodeId</c>; <c>ServicesNotSupported</c> on other systems, and for users of Windows.</exception>
    public static ServiceEntry Of(string nodeId, AmpServiceScope scope)
    {
        Configuration.NodeId.Validate(nodeId);
        return OperatingSystem.IsLinux() ? new SystemdUnit(nodeId, scope)
            : OperatingSystem.IsWindows() && scope == AmpServiceScope.System ? new WindowsService(nodeId)
            : throw new AmpException("ServicesNotSupported", AmpErrorKind.InvalidState, "A worker can be a service of systemd, or of Windows with the scope System, and this is neither.")
            {
                Target = nodeId,
                RecommendedAction = $"Let the system's own service manager run: pwsh -NoProfile -Command \"Start-AmpWorker {nodeId} -ConfigPath … -Wait\"",
            };
    }

    /// <summary>Node ids of the workers that are services, in order.</summary>
    public static IReadOnlyList<string> NodeIds(AmpServiceScope scope)
    {
        var names = OperatingSystem.IsWindows() ? WindowsService.Names() : SystemdUnit.Names(scope);
        return [.. names.Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).Select(name => name[Prefix.Length..]).Order(StringComparer.Ordinal)];
    }

    /// <summary>Makes the service, or makes it anew.</summary>
    /// <param name="shell">PowerShell's program.</param>
    /// <param name="module">The module's manifest.</param>
    /// <param name="configPath">The configuration file.</param>
    /// <param name="start">Whether it starts now and with the machine, or with the user's session.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public abstract Task RegisterAsync(string shell, string module, string configPath, bool start, CancellationToken cancellationToken);

    /// <summary>Stops the service and removes it.</summary>
    public abstract Task UnregisterAsync(CancellationToken cancellationToken);

    /// <summary>What cmdlets show.</summary>
    public AmpWorkerService Describe() => new() { NodeId = NodeId, Name = Name, Scope = Scope, Path = Path };

    /// <summary>What PowerShell is told to do.</summary>
    protected string Command(string module, string configPath) =>
        $"Import-Module {Literal(module)}; Start-AmpWorker -NodeId {Literal(NodeId)} -ConfigPath {Literal(configPath)} -Wait";

    /// <summary>A text of PowerShell.</summary>
    protected static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    /// <summary>Runs the service manager's program; throws <c>ServiceManagerFailed</c> with what it answered.</summary>
    protected async Task ControlAsync(string program, IReadOnlyCollection<string> arguments, CancellationToken cancellationToken)
    {
        var command = $"{program} {string.Join(' ', arguments)}";
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(cancellationToken), process.StandardError.ReadToEndAsync(cancellationToken));
            await process.WaitForExitAsync(cancellationToken).WaitAsync(Patience, cancellationToken);
            if (process.ExitCode != 0)
            {
                throw Failed($"{await errors}{(OperatingSystem.IsWindows() ? await output : "")}".Trim());
            }
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or TimeoutException)
        {
            throw Failed(e.Message);
        }

        AmpException Failed(string reason) => new("ServiceManagerFailed", AmpErrorKind.Unavailable, $"'{command}' failed: {reason}")
        {
            Target = Name,
            RecommendedAction = $"Run it by hand: {command}",
        };
    }
}
