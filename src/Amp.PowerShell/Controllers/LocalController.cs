using Amp.Hosting;
using Amp.PowerShell.Common;

namespace Amp.PowerShell.Controllers;

/// <summary>A controller that runs in this process, with its hold on the deployment it works for.</summary>
internal sealed class LocalController(ControllerHost host, DeploymentHold deployment) : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        await host.DisposeAsync();
        await deployment.DisposeAsync();
    }
}
