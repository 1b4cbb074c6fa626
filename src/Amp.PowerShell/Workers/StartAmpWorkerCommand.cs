using System.Management.Automation;
using System.Management.Automation.Runspaces;
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
public sealed class StartAmpWorkerCommand : AmpCmdlet
{
    private const string ByConfiguration = "Configuration";
    private const string BySolo = "Solo";

    /// <summary>The worker's unique name: a letter, then letters, digits, <c>_</c>, <c>-</c> or <c>.</c>.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string NodeId { get; set; } = "";

    /// <summary>The configuration file; without it the session's connection is used, then what <c>Connect-Amp</c> would find.</summary>
    [Parameter(ParameterSetName = ByConfiguration)]
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
        var location = SessionState.Path.CurrentFileSystemLocation.ProviderPath;
        var configPath = ConfigPath is null ? null : ResolvePath(ConfigPath);
        var ampDir = ResolvePath(AmpDir);
        var owner = Runspace.DefaultRunspace.InstanceId;
        RunOrThrow((_, _) =>
        {
            Amp.Configuration.NodeId.Validate(NodeId);
            if (AmpSession.Workers.Find(NodeId) is not null)
            {
                throw new AmpException("WorkerAlreadyRunning", AmpErrorKind.Conflict, $"Worker '{NodeId}' already runs in this process.")
                {
                    Target = NodeId,
                    RecommendedAction = $"Stop it with 'Stop-AmpWorker {NodeId}', or start another with a node id of its own.",
                };
            }

            return Task.CompletedTask;
        });
        if (!ShouldProcess(NodeId, "Start worker"))
        {
            return;
        }

        RunOrThrow(async (pipeline, cancellationToken) =>
        {
            var deployment = await OpenAsync(configPath, ampDir, location, cancellationToken);
            var worker = await WorkerHost.StartAsync(deployment, NodeId, NullLoggerFactory.Instance, cancellationToken);
            AmpSession.Workers.Add(NodeId, worker, owner);
            try
            {
                await pipeline.OutputAsync(await worker.DescribeAsync(cancellationToken));
                if (Wait)
                {
                    await worker.Completion.WaitAsync(cancellationToken);
                }
            }
            finally
            {
                if (Wait)
                {
                    await AmpSession.Workers.StopAsync(NodeId);
                }
            }
        });
    }

    private async Task<AmpDeployment> OpenAsync(
        string? configPath, string ampDir, string location, CancellationToken cancellationToken)
    {
        if (ParameterSetName == ByConfiguration && configPath is null && AmpSession.Current is { Configuration.IsFromFile: true } current)
        {
            return current;
        }

        var deployment = Solo
            ? await AmpDeployment.OpenSoloAsync(ampDir, NullLoggerFactory.Instance, cancellationToken)
            : await AmpDeployment.OpenAsync(
                AmpDeployment.FindConfiguration(configPath, location), NullLoggerFactory.Instance, cancellationToken);
        await AmpSession.SetAsync(deployment, cancellationToken);
        return deployment;
    }
}
