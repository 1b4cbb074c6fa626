using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>A worker of background jobs that runs in this process, with its hold on the deployment it works for.</summary>
internal sealed class LocalBackgroundWorker(JobWorkerHost host, DeploymentHold deployment) : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        await host.DisposeAsync();
        await deployment.DisposeAsync();
    }
}
