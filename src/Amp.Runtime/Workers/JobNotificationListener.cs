using System.Text.Json;
using Amp.MetadataDb;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Amp.Workers;

/// <summary>
/// Hears what controllers say to a worker (<c>LISTEN job_actions</c>) on a connection of its own. A lost connection is made
/// anew for ever; what was said meanwhile is lost, so each new connection asks for a reconciliation.
/// </summary>
internal sealed class JobNotificationListener : IAsyncDisposable
{
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(5);

    private readonly MetadataDatabase _database;
    private readonly string _nodeId;
    private readonly Action<long, JobAction> _onAction;
    private readonly Action _onReconnected;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private Task? _loop;
    private volatile Exception? _fault;

    /// <summary>Prepares to listen.</summary>
    /// <param name="database">The database.</param>
    /// <param name="nodeId">The worker.</param>
    /// <param name="onAction">Called for each action meant for the worker; must not block.</param>
    /// <param name="onReconnected">Called when notifications may have been lost; must not block.</param>
    /// <param name="logger">Log.</param>
    public JobNotificationListener(
        MetadataDatabase database, string nodeId, Action<long, JobAction> onAction, Action onReconnected, ILogger logger)
    {
        _database = database;
        _nodeId = nodeId;
        _onAction = onAction;
        _onReconnected = onReconnected;
        _logger = logger;
    }

    /// <summary>Why it does not hear anything just now; null while it does.</summary>
    public Exception? Fault => _fault;

    /// <summary>Starts to listen; what is said after this returns is heard.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var connection = await ConnectAsync(cancellationToken);
        _loop = RunAsync(connection);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await (_loop ?? Task.CompletedTask);
        _stop.Dispose();
    }

    private async Task RunAsync(NpgsqlConnection first)
    {
        NpgsqlConnection? connection = first;
        var backoff = TimeSpan.FromMilliseconds(100);
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (connection is null)
                {
                    connection = await ConnectAsync(_stop.Token);
                    _fault = null;
                    Log.ReconnectedListener(_logger, _nodeId);
                    _onReconnected();
                }

                await ListenAsync(connection, _stop.Token);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e) when (e is AmpException or InvalidOperationException or IOException || DatabaseErrors.IsDatabase(e))
            {
                if (_fault is null)
                {
                    Log.LostListener(_logger, _nodeId, e.Message);
                    backoff = TimeSpan.FromMilliseconds(100);
                }

                _fault = e as AmpException ?? _database.Translate(e, $"listening for worker {_nodeId}");
                await (connection?.DisposeAsync() ?? ValueTask.CompletedTask);
                connection = null;
                await Task.Delay(backoff, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                backoff = backoff * 2 < LongestBackoff ? backoff * 2 : LongestBackoff;
            }
        }

        await (connection?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    private async Task<NpgsqlConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        var connection = await _database.OpenDedicatedAsync($"listening for worker {_nodeId}", cancellationToken);
        try
        {
            connection.Notification += (_, e) => OnNotification(e.Payload);
            await connection.ExecuteAsync("LISTEN job_actions", [], cancellationToken);
            return connection;
        }
        catch (Exception e)
        {
            await connection.DisposeAsync();
            throw DatabaseErrors.IsDatabase(e) ? _database.Translate(e, $"listening for worker {_nodeId}") : e;
        }
    }

    private static async Task ListenAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        while (true)
        {
            // A connection that a firewall forgot looks silent for ever: only a question shows it.
            if (!await connection.WaitAsync(ProbeInterval, cancellationToken))
            {
                await connection.ExecuteAsync("SELECT 1", [], cancellationToken);
            }
        }
    }

    private void OnNotification(string payload)
    {
        try
        {
            using var document = JsonDocument.Parse(payload);
            var root = document.RootElement;
            if (root.GetProperty("node_id").GetString() != _nodeId)
            {
                return;
            }

            var action = root.GetProperty("payload");
            var jobId = action.GetProperty("job_id").GetInt64();
            switch (action.GetProperty("action").GetString())
            {
                case "START": _onAction(jobId, JobAction.Start); break;
                case "STOP": _onAction(jobId, JobAction.Stop); break;
                default: Log.IgnoredNotification(_logger, _nodeId, payload); break;
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            Log.IgnoredNotification(_logger, _nodeId, payload);
        }
    }
}

/// <summary>What a controller asks of a worker.</summary>
internal enum JobAction
{
    /// <summary>Run the job.</summary>
    Start,

    /// <summary>Stop the job.</summary>
    Stop,
}
