using System.Management.Automation;
using Amp.Hosting;
using Amp.PowerShell.Common;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.PowerShell.Workers;

/// <summary>
/// Starts a worker in this process. Returns once it is registered, holds its node id, beats and listens; what goes
/// wrong later shows in <c>Get-AmpWorker</c> and in the state of its jobs.
/// </summary>
[Cmdlet(VerbsLifecycle.Start, "AmpWorker", DefaultParameterSetName = ByConfiguration, SupportsShouldProcess = true)]
[OutputType(typeof(AmpWorker))]
public sealed class StartAmpWorkerCommand : ServiceCmdlet
{
    private const string ByConfiguration = "Configuration";
    private const string BySolo = "Solo";

    /// <summary>
    /// The worker's unique name: a letter, then letters, digits, <c>_</c>, <c>-</c> or <c>.</c>; <c>AMP_NODE_ID</c> when
    /// left out.
    /// </summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? NodeId { get; set; }

    /// <summary>The configuration file; without it the session's connection is used, then what <c>Connect-Amp</c> would find.</summary>
    [Parameter(ParameterSetName = ByConfiguration)]
    [ValidateNotNullOrEmpty]
    public string? ConfigPath { get; set; }

    /// <summary>Runs everything on this machine: starts a private PostgreSQL server and keeps all files below <see cref="AmpDir"/>.</summary>
    [Parameter(ParameterSetName = BySolo, Mandatory = true)]
    public SwitchParameter Solo { get; set; }

    /// <summary>Folder of solo mode; made when it is not there.</summary>
    [Parameter(ParameterSetName = BySolo)]
    [ValidateNotNullOrEmpty]
    public string AmpDir { get; set; } = ".amp";

    /// <summary>Stays until Ctrl+C, SIGTERM or the worker's end, then stops it in an orderly way: for services.</summary>
    [Parameter]
    public SwitchParameter Wait { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        var nodeId = OrThrow(RequireFreeNodeId);
        if (!ShouldProcess(nodeId, "Start worker"))
        {
            return;
        }

        var location = Location;
        var configPath = ConfigPath is null ? null : ResolvePath(ConfigPath);
        var ampDir = ResolvePath(AmpDir);
        RunOrThrow(async (pipeline, cancellationToken) =>
        {
            await using var deployment = Solo
                ? new DeploymentHold(await AmpDeployment.OpenSoloAsync(ampDir, NullLoggerFactory.Instance, cancellationToken))
                : await OpenAsync(configPath, location, cancellationToken);
            var worker = await WorkerHost.StartAsync(deployment.Deployment, nodeId, NullLoggerFactory.Instance, cancellationToken);
            var controller = Solo ? await StartControllerAsync(deployment.Deployment, worker, cancellationToken) : null;
            AmpSession.Workers.Add(nodeId, new LocalWorker(worker, controller, deployment.Share()), RunspaceId);
            var stays = false;
            try
            {
                await AmpSession.SetAsync(deployment, RunspaceId, cancellationToken);
                if (controller?.AdminApiError is { } error)
                {
                    await pipeline.WarningAsync($"Worker '{nodeId}' runs without an Admin API of its own. {error.Message} {error.RecommendedAction}");
                }

                await pipeline.OutputAsync(await worker.DescribeAsync(cancellationToken));
                stays = !Wait;
                if (Wait)
                {
                    await WaitForServiceAsync(worker.WaitAsync, cancellationToken);
                }
            }
            finally
            {
                if (!stays)
                {
                    await AmpSession.Workers.StopAsync(nodeId);
                }
            }
        });
    }

    // Nobody else would start failed jobs again.
    private static async Task<ControllerHost> StartControllerAsync(AmpDeployment deployment, WorkerHost worker, CancellationToken cancellationToken)
    {
        try
        {
            return await ControllerHost.StartSoloAsync(deployment, NullLoggerFactory.Instance, cancellationToken);
        }
        catch
        {
            await worker.DisposeAsync();
            throw;
        }
    }

    private string RequireFreeNodeId()
    {
        var nodeId = NodeId ?? Environment.GetEnvironmentVariable("AMP_NODE_ID") ?? throw new AmpException(
            "NodeIdRequired", AmpErrorKind.InvalidInput, "A worker needs a node id, and none was given.")
        {
            RecommendedAction = "Give -NodeId, or set AMP_NODE_ID.",
        };
        Amp.Configuration.NodeId.Validate(nodeId);
        return !AmpSession.Workers.Contains(nodeId)
            ? nodeId
            : throw new AmpException("WorkerAlreadyRunning", AmpErrorKind.Conflict, $"Worker '{nodeId}' already runs in this process.")
            {
                Target = nodeId,
                RecommendedAction = $"Stop it with 'Stop-AmpWorker {nodeId}', or start another with a node id of its own.",
            };
    }
}
