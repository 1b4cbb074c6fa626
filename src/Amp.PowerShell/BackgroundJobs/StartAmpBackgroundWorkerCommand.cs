using System.Management.Automation;
using Amp.Hosting;
using Amp.PowerShell.Common;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>
/// Starts a worker of background jobs in this process, which runs the handlers that are registered in it. Returns once it is registered and
/// brokers and topics have been proven.
/// </summary>
[Cmdlet(VerbsLifecycle.Start, "AmpBackgroundWorker", SupportsShouldProcess = true)]
[OutputType(typeof(AmpBackgroundWorker))]
public sealed class StartAmpBackgroundWorkerCommand : ServiceCmdlet
{
    /// <summary>Jobs to run at once; the configuration's when left out (<c>KAFKA_WORKER_POOL_SIZE</c>, 10).</summary>
    [Parameter]
    [ValidateRange(1, 1_000)]
    public int? PoolSize { get; set; }

    /// <summary>How long jobs may go on when the worker stops; the configuration's when left out (30 seconds).</summary>
    [Parameter]
    [Seconds]
    public TimeSpan? DrainTimeout { get; set; }

    /// <summary>The configuration file; without it the session's connection is used, then what <c>Connect-Amp</c> would find.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ConfigPath { get; set; }

    /// <summary>Also runs the jobs of campaigns: e-mails (where the configuration names a mail server), positions, rewards.</summary>
    [Parameter]
    public SwitchParameter Campaigns { get; set; }

    /// <summary>Stays until Ctrl+C or SIGTERM, then stops the worker in an orderly way: for services.</summary>
    [Parameter]
    public SwitchParameter Wait { get; set; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (!ShouldProcess(Environment.MachineName, "Start background worker"))
        {
            return;
        }

        if (DrainTimeout < TimeSpan.Zero || DrainTimeout > TimeSpan.FromDays(1))
        {
            ThrowTerminatingError(AmpErrors.From(new AmpException("DrainTimeoutInvalid", AmpErrorKind.InvalidInput, $"A drain time of {DrainTimeout} is not between none and a day.")
            {
                Target = DrainTimeout,
                RecommendedAction = "Give one such as -DrainTimeout 00:00:30.",
            }));
        }

        if (!Campaigns && AmpSession.JobHandlers.Patterns.Count == 0)
        {
            WriteWarning("No handler is registered, so the worker takes no job until there is one: Register-AmpBackgroundJobHandler -Type … -ScriptBlock { param($Job) … }");
        }

        var location = Location;
        var configPath = ConfigPath is null ? null : ResolvePath(ConfigPath);
        RunOrThrow(async (pipeline, cancellationToken) =>
        {
            await using var deployment = ConfigPath is null
                ? await AmpSession.GetAsync(location, RunspaceId, cancellationToken)
                : await OpenAsync(configPath, location, cancellationToken);
            var options = JobWorkerHost.OptionsOf(deployment.Deployment.Configuration);
            options = options with { PoolSize = PoolSize ?? options.PoolSize, DrainTimeout = DrainTimeout ?? options.DrainTimeout, RunsCampaigns = Campaigns };
            foreach (var line in JobWorkerHost.Describe(deployment.Deployment, options))
            {
                await pipeline.VerboseAsync(line);
            }

            var host = await JobWorkerHost.StartAsync(deployment.Deployment, AmpSession.JobHandlers, options, NullLoggerFactory.Instance, cancellationToken);
            var id = host.WorkerId.ToString();
            AmpSession.BackgroundWorkers.Add(id, new LocalBackgroundWorker(host, deployment.Share()), RunspaceId);
            var stays = false;
            try
            {
                var jobs = await deployment.Deployment.OpenBackgroundJobsAsync(cancellationToken);
                await pipeline.OutputAsync((await jobs.GetWorkersAsync(cancellationToken)).Single(worker => worker.WorkerId == host.WorkerId));
                stays = !Wait;
                if (Wait)
                {
                    await WaitForServiceAsync(host.WaitAsync, cancellationToken);
                }
            }
            finally
            {
                if (!stays)
                {
                    await AmpSession.BackgroundWorkers.StopAsync(id);
                }
            }
        });
    }
}
