using Amp.Controller;
using Amp.Hosting.AdminApi;
using Microsoft.Extensions.Logging;

namespace Amp.Hosting;

/// <summary>A controller with its Admin API, running in this process until it is disposed.</summary>
public sealed class ControllerHost : IAsyncDisposable
{
    private readonly AmpDeployment _deployment;
    private readonly ControllerService _controller;
    private readonly AdminApiServer? _api;

    private ControllerHost(AmpDeployment deployment, ControllerService controller, AdminApiServer? api, AmpException? apiError)
    {
        _deployment = deployment;
        _controller = controller;
        _api = api;
        AdminApiError = apiError;
    }

    /// <summary>Why there is no Admin API, in solo mode; null where there is one.</summary>
    public AmpException? AdminApiError { get; }

    /// <summary>Starts a controller; it leads, or waits for the lead, and its Admin API answers, when the task ends.</summary>
    /// <param name="deployment">Where it works; must outlive the controller.</param>
    /// <param name="loggers">Makes loggers.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException"><c>AdminApiAddressUnavailable</c>; errors of the database.</exception>
    public static Task<ControllerHost> StartAsync(AmpDeployment deployment, ILoggerFactory loggers, CancellationToken cancellationToken) =>
        StartAsync(deployment, loggers, isSolo: false, cancellationToken);

    /// <summary>
    /// Starts the controller of solo mode, beside a worker. Where its address is taken, by the solo mode of another folder for
    /// instance, it does without an Admin API: see <see cref="AdminApiError"/>.
    /// </summary>
    /// <inheritdoc cref="StartAsync(AmpDeployment, ILoggerFactory, CancellationToken)"/>
    public static Task<ControllerHost> StartSoloAsync(AmpDeployment deployment, ILoggerFactory loggers, CancellationToken cancellationToken) =>
        StartAsync(deployment, loggers, isSolo: true, cancellationToken);

    private static async Task<ControllerHost> StartAsync(
        AmpDeployment deployment, ILoggerFactory loggers, bool isSolo, CancellationToken cancellationToken)
    {
        var (api, apiError) = StartApi(deployment, isSolo, loggers.CreateLogger<AdminApiServer>());
        var settings = deployment.Configuration.Controller;
        var controller = new ControllerService(
            deployment.Database, new ControllerOptions { FailoverAfter = settings.FailoverAfter, MaxRetryDelay = settings.MaxRetryDelay },
            loggers.CreateLogger<ControllerService>());
        var host = new ControllerHost(deployment, controller, api, apiError);
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
    /// <exception cref="AmpException">As <see cref="StartAsync(AmpDeployment, ILoggerFactory, CancellationToken)"/>.</exception>
    public static async Task RunAsync(AmpDeployment deployment, ILoggerFactory loggers, CancellationToken stop)
    {
        await using var host = await StartAsync(deployment, loggers, stop);
        await WaitAsync(stop);
    }

    /// <summary>Waits until somebody wants the controller to stop; the caller then disposes it.</summary>
    /// <param name="stop">Tells it to stop.</param>
    public static async Task WaitAsync(CancellationToken stop) =>
        await Task.Delay(Timeout.InfiniteTimeSpan, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    /// <summary>What it is and does, to show to a user.</summary>
    public AmpController Describe() => new()
    {
        MetadataDb = _deployment.Database.Description,
        State = _controller.State.ToString(),
        IsLeader = _controller.State is ControllerState.Leading,
        AdminApi = _api?.Url.ToString(),
        LastError = _controller.LastError?.Message,
    };

    /// <summary>Stops it; another one takes over.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_api is not null)
        {
            await _api.DisposeAsync();
        }

        await _controller.DisposeAsync();
    }

    private static (AdminApiServer? Api, AmpException? Error) StartApi(AmpDeployment deployment, bool isSolo, ILogger logger)
    {
        try
        {
            return (AdminApiServer.Start(deployment, logger), null);
        }
        catch (AmpException e) when (isSolo && e.ErrorCode == "AdminApiAddressUnavailable")
        {
            AdminApi.Log.DoesWithout(logger, e.Message);
            return (null, e);
        }
    }
}
