using System.Management.Automation;
using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Workers;

/// <summary>Makes a worker a service of the machine, or of the present user: a unit of systemd, or a service of Windows.</summary>
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
        var service = OrThrow(() => Require(configPath));
        if (!ShouldProcess(service.Path, Start ? "Register and start service" : "Register service"))
        {
            return;
        }

        Run(async (pipeline, cancellationToken) =>
        {
            await service.RegisterAsync(Environment.ProcessPath!, ModulePath, configPath, Start, cancellationToken);
            await pipeline.OutputAsync(service.Describe());
        });
    }

    private ServiceEntry Require(string configPath)
    {
        // A service that could not start is refused here.
        AmpDeployment.FindConfiguration(configPath, Location);
        var service = ServiceEntry.Of(NodeId, Scope);
        return !service.Exists || Force
            ? service
            : throw new AmpException("ServiceExists", AmpErrorKind.Conflict, $"There is a service {service.Name} already: {service.Path}.")
            {
                Target = NodeId,
                RecommendedAction = $"Replace it with -Force, or remove it: Unregister-AmpWorkerService {NodeId} -Scope {Scope}",
            };
    }
}
