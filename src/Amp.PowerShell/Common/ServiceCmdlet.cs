using System.Runtime.InteropServices;
using Amp.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.PowerShell.Common;

/// <summary>A cmdlet that starts something which may run as a service.</summary>
public abstract class ServiceCmdlet : AmpCmdlet
{
    private readonly CancellationTokenSource _serviceStop = new();
    private volatile bool _terminated;
    private Action<bool>? _endService;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        if (OperatingSystem.IsWindows() && WindowsServiceProcess.Start(Terminate) is { } service)
        {
            _endService = service.End;
        }
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        if (_terminated)
        {
            Host.SetShouldExit(0);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing)
        {
            _endService?.Invoke(!_terminated);
            _endService = null;
            _serviceStop.Dispose();
        }
    }

    /// <summary>Waits until Ctrl+C, SIGTERM or the service manager's request, or until the service ends; after the latter two, the shell ends too, with code 0.</summary>
    private protected async Task WaitForServiceAsync(Func<CancellationToken, Task> service, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _serviceStop.Token);
        using var signal = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            Terminate();
        });
        await service(stop.Token);
    }

    private void Terminate()
    {
        _terminated = true;
        _serviceStop.Cancel();
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
