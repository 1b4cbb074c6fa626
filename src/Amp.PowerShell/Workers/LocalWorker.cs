using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Workers;

/// <summary>A worker that runs in this process, with its hold on the deployment it works for.</summary>
internal sealed class LocalWorker(WorkerHost host, DeploymentHold deployment) : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        await host.DisposeAsync();
        await deployment.DisposeAsync();
    }
}
