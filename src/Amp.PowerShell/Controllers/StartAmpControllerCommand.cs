using System.Management.Automation;
using Amp.Hosting;
using Amp.PowerShell.Common;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.PowerShell.Controllers;

/// <summary>
/// Starts a controller in this process: it schedules failed jobs again and moves the jobs of silent workers. Several may run on a
/// deployment; one leads, the others take over when it ends.
/// </summary>
[Cmdlet(VerbsLifecycle.Start, "AmpController", SupportsShouldProcess = true)]
[OutputType(typeof(AmpController))]
public sealed class StartAmpControllerCommand : ServiceCmdlet
{
    /// <summary>The configuration file; without it the session's connection is used, then what <c>Connect-Amp</c> would find.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? ConfigPath { get; set; }

    /// <summary>Stays until Ctrl+C or SIGTERM, then stops it in an orderly way: for services.</summary>
    [Parameter]
    public SwitchParameter Wait { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var location = Location;
        var configPath = ConfigPath is null ? null : ResolvePath(ConfigPath);
        if (!ShouldProcess(configPath ?? "the session's deployment", "Start controller"))
        {
            return;
        }

        RunOrThrow(async (pipeline, cancellationToken) =>
        {
            await using var deployment = await OpenAsync(configPath, location, cancellationToken);
            var name = deployment.Deployment.Connection.MetadataDb!;
            if (AmpSession.Controllers.Contains(name))
            {
                throw new AmpException("ControllerAlreadyRunning", AmpErrorKind.Conflict, $"A controller of {name} already runs in this process.")
                {
                    Target = name,
                    RecommendedAction = "One is enough; stop it with Stop-AmpController.",
                };
            }

            var controller = await ControllerHost.StartAsync(deployment.Deployment, NullLoggerFactory.Instance, cancellationToken);
            AmpSession.Controllers.Add(name, new LocalController(controller, deployment.Share()), RunspaceId);
            var stays = false;
            try
            {
                await AmpSession.SetAsync(deployment, RunspaceId, cancellationToken);
                await pipeline.OutputAsync(controller.Describe());
                stays = !Wait;
                if (Wait)
                {
                    await WaitForServiceAsync(ControllerHost.WaitAsync, cancellationToken);
                }
            }
            finally
            {
                if (!stays)
                {
                    await AmpSession.Controllers.StopAsync(name);
                }
            }
        });
    }
}
