using System.Management.Automation;
using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Workers;

/// <summary>Makes a worker a service of the machine, or of the present user: writes a unit of systemd.</summary>
[Cmdlet(VerbsLifecycle.Register, "AmpWorkerService", SupportsShouldProcess = true)]
[OutputType(typeof(AmpWorkerService))]
public sealed class RegisterAmpWorkerServiceCommand : AmpCmdlet
{
    /// <summary>The worker's unique name; the service is called after it.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string NodeId { get; set; } = "";

    /// <summary>The configuration file.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string ConfigPath { get; set; } = "";

    /// <summary>Whose service manager runs it: the machine's, for which one must be root, or the present user's.</summary>
    [Parameter]
    public AmpServiceScope Scope { get; set; } = AmpServiceScope.System;

    /// <summary>Starts the service now and whenever the machine starts, or the user logs in.</summary>
    [Parameter]
    public SwitchParameter Start { get; set; }

    /// <summary>Replaces a service of that name.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var configPath = ResolvePath(ConfigPath);
        var unit = OrThrow(() => Require(configPath));
        if (!ShouldProcess(unit.Path, Start ? "Register and start service" : "Register service"))
        {
            return;
        }

        Run(async (pipeline, cancellationToken) =>
        {
            await WriteAsync(unit, configPath, cancellationToken);
            if (SystemdUnit.IsRunning || Start)
            {
                await unit.ControlAsync(cancellationToken, "daemon-reload");
            }

            if (Start)
            {
                await unit.ControlAsync(cancellationToken, "enable", "--now", unit.Name);
            }

            await pipeline.OutputAsync(unit.Describe());
        });
    }

    private SystemdUnit Require(string configPath)
    {
        // A service that could not start is refused here.
        AmpDeployment.FindConfiguration(configPath, Location);
        var unit = SystemdUnit.Of(NodeId, Scope);
        return !File.Exists(unit.Path) || Force
            ? unit
            : throw new AmpException("ServiceExists", AmpErrorKind.Conflict, $"There is a service {unit.Name} already: {unit.Path}.")
            {
                Target = NodeId,
                RecommendedAction = $"Replace it with -Force, or remove it: Unregister-AmpWorkerService {NodeId} -Scope {Scope}",
            };
    }

    private static async Task WriteAsync(SystemdUnit unit, string configPath, CancellationToken cancellationToken)
    {
        var module = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(RegisterAmpWorkerServiceCommand).Assembly.Location)!, "..", "Amp.psd1"));
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(unit.Path)!);
            await File.WriteAllTextAsync(unit.Path, unit.Write(Environment.ProcessPath!, module, configPath), cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new AmpException("ServiceNotWritable", AmpErrorKind.Denied, $"The service cannot be written: {e.Message}", e)
            {
                Target = unit.Path,
                RecommendedAction = "Run PowerShell as root, or give -Scope User.",
            };
        }
    }
}
