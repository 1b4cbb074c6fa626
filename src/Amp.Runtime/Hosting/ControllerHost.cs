using Amp.Controller;
using Microsoft.Extensions.Logging;

namespace Amp.Hosting;

/// <summary>A controller running in this process until it is disposed.</summary>
public sealed class ControllerHost : IAsyncDisposable
{
    private readonly AmpDeployment _deployment;
    private readonly ControllerService _controller;

    private ControllerHost(AmpDeployment deployment, ControllerService controller)
    {
        _deployment = deployment;
        _controller = controller;
    }

    /// <summary>Starts a controller; it leads, or waits for the lead, when the task ends.</summary>
    /// <param name="deployment">Where it works; must outlive the controller.</param>
    /// <param name="loggers">Makes loggers.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException">Errors of the database.</exception>
    public static async Task<ControllerHost> StartAsync(AmpDeployment deployment, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var settings = deployment.Configuration.Controller;
        var controller = new ControllerService(
            deployment.Database, new ControllerOptions { FailoverAfter = settings.FailoverAfter, MaxRetryDelay = settings.MaxRetryDelay },
            loggers.CreateLogger<ControllerService>());
        var host = new ControllerHost(deployment, controller);
        try
        {
            await controller.StartAsync(cancellationToken);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a controller until it is told to stop.</summary>
    /// <param name="deployment">Where it works.</param>
    /// <param name="loggers">Makes loggers.</param>
    /// <param name="stop">Tells it to stop.</param>
    /// <exception cref="AmpException">As <see cref="StartAsync"/>.</exception>
    public static async Task RunAsync(AmpDeployment deployment, ILoggerFactory loggers, CancellationToken stop)
    {
        await using var host = await StartAsync(deployment, loggers, stop);
        await Task.Delay(Timeout.InfiniteTimeSpan, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>What it is and does, to show to a user.</summary>
    public AmpController Describe() => new()
    {
        MetadataDb = _deployment.Connection.MetadataDb,
        State = _controller.State.ToString(),
        IsLeader = _controller.State is ControllerState.Leading,
        LastError = _controller.LastError?.Message,
    };

    /// <summary>Stops it; another one takes over.</summary>
    public ValueTask DisposeAsync() => _controller.DisposeAsync();
}
