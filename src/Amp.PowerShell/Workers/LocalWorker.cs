using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Workers;

/// <summary>A worker that runs in this process, with its hold on the deployment it works for and, in solo mode, a controller.</summary>
internal sealed class LocalWorker(WorkerHost host, ControllerHost? controller, DeploymentHold deployment) : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        await host.DisposeAsync();
        if (controller is not null)
        {
            await controller.DisposeAsync();
        }

        await deployment.DisposeAsync();
    }
}
