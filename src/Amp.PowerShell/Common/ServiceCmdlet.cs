using System.Runtime.InteropServices;
using Amp.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.PowerShell.Common;

/// <summary>A cmdlet that starts something which may run as a service.</summary>
public abstract class ServiceCmdlet : AmpCmdlet
{
    private volatile bool _terminated;

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (_terminated)
        {
            Host.SetShouldExit(0);
        }
    }

    /// <summary>Waits until Ctrl+C or SIGTERM, or until the service ends; after SIGTERM, the shell ends too, with code 0.</summary>
    private protected async Task WaitForServiceAsync(Func<CancellationToken, Task> service, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var signal = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            _terminated = true;
            stop.Cancel();
        });
        await service(stop.Token);
    }

    /// <summary>
    /// The deployment to work for: the one of a configuration file; without one, the session's, if it came from a file, else what
    /// <c>Connect-Amp</c> would find.
    /// </summary>
    private protected async Task<DeploymentHold> OpenAsync(string? configPath, string location, CancellationToken cancellationToken) =>
        configPath is null && AmpSession.Current is { IsRemote: false, Configuration.IsFromFile: true }
            ? await AmpSession.GetAsync(location, RunspaceId, cancellationToken)
            : new DeploymentHold(await AmpDeployment.OpenAsync(
                AmpDeployment.FindConfiguration(configPath, location), NullLoggerFactory.Instance, cancellationToken));
}
