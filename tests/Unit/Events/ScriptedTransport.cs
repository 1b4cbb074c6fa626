namespace Amp.Events;

/// <summary>A broker whose answers a test decides. Safe from any thread.</summary>
internal sealed class ScriptedTransport(TimeProvider time, Func<Wire.WorkerEvent, SendResult?> answer) : IEventTransport
{
    private readonly Lock _gate = new();
    private readonly long _epoch = time.GetTimestamp();
    private readonly List<Wire.WorkerEvent> _delivered = [];
    private readonly List<(TimeSpan At, Wire.WorkerEvent Event)> _attempts = [];
    private readonly List<(Wire.WorkerEvent Event, Action<SendResult> Report)> _held = [];

    public ProbeResult Probe { get; set; } = new(ProbeOutcome.Ready, 16);

    public int Probes { get; private set; }

    public int Resets { get; private set; }

    public IReadOnlyList<Wire.WorkerEvent> Delivered => Snapshot(_delivered);

    public IReadOnlyList<(TimeSpan At, Wire.WorkerEvent Event)> Attempts => Snapshot(_attempts);

    public int Held => Snapshot(_held).Count;

    public Task<ProbeResult> ProbeAsync(CancellationToken cancellationToken)
    {
        Probes++;
        return Task.FromResult(Probe);
    }

    /// <summary>Asks the script; null holds the message until <see cref="ReleaseAll"/>.</summary>
    public void Send(string key, byte[] value, DateTimeOffset timestamp, Action<SendResult> report)
    {
        var sent = Wire.WorkerEvent.Parser.ParseFrom(value);
        SendResult? result;
        lock (_gate)
        {
            _attempts.Add((time.GetElapsedTime(_epoch), sent));
            result = answer(sent);
            if (result is null)
            {
                _held.Add((sent, report));
                return;
            }

            if (result.Value.Outcome == SendOutcome.Delivered)
            {
                _delivered.Add(sent);
            }
        }

        report(result.Value);
    }

    /// <summary>Answers everything held.</summary>
    public void ReleaseAll(SendResult result)
    {
        (Wire.WorkerEvent Event, Action<SendResult> Report)[] held;
        lock (_gate)
        {
            held = [.. _held];
            _held.Clear();
            if (result.Outcome == SendOutcome.Delivered)
            {
                _delivered.AddRange(held.Select(h => h.Event));
            }
        }

        foreach (var (_, report) in held)
        {
            report(result);
        }
    }

    public Task ResetAsync()
    {
        Resets++;
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private IReadOnlyList<T> Snapshot<T>(List<T> list)
    {
        lock (_gate)
        {
            return [.. list];
        }
    }
}
