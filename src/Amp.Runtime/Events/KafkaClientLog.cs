using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Amp.Events;

/// <summary>
/// Passes librdkafka's own messages on, each kind at most once a minute: a broker that is away makes it repeat itself
/// every second. Safe from any thread.
/// </summary>
internal sealed class KafkaClientLog(TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, long> _last = [];

    /// <summary>The last error that says something about logging on or encryption; null when there was none.</summary>
    public Error? LastDenial { get; private set; }

    /// <summary>The last error of a connection; null when there was none.</summary>
    public Error? LastError { get; private set; }

    public void Write(LogMessage message)
    {
        // Errors come through the error handler as well.
        if (message.Facility is not ("FAIL" or "ERROR") && MayWrite(message.Facility))
        {
            Log.ClientSaid(logger, message.Facility, message.Message);
        }
    }

    public void Write(Error error)
    {
        // "All brokers are down" says less than what came before it.
        if (error.Code != ErrorCode.Local_AllBrokersDown)
        {
            LastError = error;
        }

        if (error.Code is ErrorCode.Local_Authentication or ErrorCode.SaslAuthenticationFailed or ErrorCode.Local_Ssl)
        {
            LastDenial = error;
        }

        if (MayWrite(error.Code.ToString()))
        {
            Log.ClientFailed(logger, error.Code.ToString(), error.Reason);
        }
    }

    private bool MayWrite(string kind)
    {
        lock (_gate)
        {
            var now = time.GetTimestamp();
            if (_last.TryGetValue(kind, out var last) && time.GetElapsedTime(last, now) < Interval)
            {
                return false;
            }

            _last[kind] = now;
            return true;
        }
    }
}
