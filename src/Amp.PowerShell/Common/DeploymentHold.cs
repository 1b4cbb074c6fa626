using Amp.Hosting;

namespace Amp.PowerShell.Common;

/// <summary>
/// A hold on a deployment that the session, workers and running cmdlets share: it closes when the last hold is let go,
/// so that connecting elsewhere never pulls it from under a worker. Holding on is for a holder only.
/// </summary>
internal sealed class DeploymentHold : IAsyncDisposable
{
    private readonly Count _count;
    private int _released;

    /// <summary>The first hold on a deployment.</summary>
    public DeploymentHold(AmpDeployment deployment)
        : this(deployment, new Count())
    {
    }

    private DeploymentHold(AmpDeployment deployment, Count count)
    {
        Deployment = deployment;
        _count = count;
        Interlocked.Increment(ref count.Holders);
    }

    /// <summary>The deployment; open as long as this is not disposed.</summary>
    public AmpDeployment Deployment { get; }

    /// <summary>One more hold on the same deployment.</summary>
    public DeploymentHold Share() => new(Deployment, _count);

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _released, 1) == 0 && Interlocked.Decrement(ref _count.Holders) == 0)
        {
            await Deployment.DisposeAsync();
        }
    }

    private sealed class Count
    {
        public int Holders;
    }
}
