using Amp.Hosting;

namespace Amp.PowerShell.Common;

/// <summary>A cmdlet that works on the deployment the session is connected to.</summary>
public abstract class AmpDeploymentCmdlet : AmpCmdlet
{
    private protected sealed override TimeSpan Patience => DatabasePatience;

    /// <summary>Runs work on the session's deployment, connecting first where nobody has; see <see cref="AmpCmdlet.Run"/>.</summary>
    private protected void Run(Func<AmpDeployment, PipelineWriter, CancellationToken, Task> work)
    {
        var location = Location;
        Run(async (pipeline, cancellationToken) =>
        {
            await using var session = await AmpSession.GetAsync(location, RunspaceId, cancellationToken);
            await work(session.Deployment, pipeline, cancellationToken);
        });
    }
}
