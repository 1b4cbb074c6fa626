using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.Events;

/// <summary>Reads sync events back from their topic. Joins no group; moves the offsets of one only when told to.</summary>
public sealed class SyncEventReader
{
    // Results read ahead of the caller.
    private const int ReadAhead = 4096;

    private readonly KafkaEventOptions _kafka;
    private readonly ILogger _logger;

    /// <summary>Makes a reader; connects only when read.</summary>
    /// <param name="kafka">Topic, brokers and log-on.</param>
    /// <param name="logger">Told what the Kafka client reports; null for nobody.</param>
    public SyncEventReader(KafkaEventOptions kafka, ILogger? logger = null)
    {
        ArgumentNullException.ThrowIfNull(kafka);
        _kafka = kafka;
        _logger = logger ?? NullLogger.Instance;
    }

    /// <summary>Returns topic and brokers.</summary>
    public override string ToString() => _kafka.ToString();

    /// <summary>
    /// Reads events in the order of each table; tables of different partitions interleave as they come. Ends at the end
    /// that the topic had when reading began, or when following not before it is cancelled. A message that is no event is
    /// a result with an error (<c>SyncEventMalformed</c>). With a group, a result is committed when the next one is asked for, or
    /// reading ends by itself: each is given at least once.
    /// </summary>
    /// <param name="options">Where to begin and what to select.</param>
    /// <param name="cancellationToken">Ends reading within 200 milliseconds.</param>
    /// <exception cref="AmpException">
    /// <c>BrokerUnavailable</c> (transient), <c>BrokerAccessDenied</c>, <c>TopicNotFound</c>, <c>SyncEventReadFailed</c>, <c>SyncEventGroupNotCommitted</c>,
    /// <c>KafkaConfigurationInvalid</c>, <c>KafkaLibraryMissing</c>.
    /// </exception>
    /// <exception cref="OperationCanceledException">Reading was cancelled.</exception>
    public async IAsyncEnumerable<SyncEventReadResult> ReadAsync(
        SyncEventReadOptions options, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        cancellationToken.ThrowIfCancellationRequested();
        var channel = Channel.CreateUnbounded<SyncEventRead>(new() { SingleReader = true, SingleWriter = true });
        using var slots = new SemaphoreSlim(ReadAhead);
        SyncEventPump? reading = null;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var taken = new ManualResetEventSlim();
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        // librdkafka's consumer blocks, so it gets a thread of its own instead of one of the pool's.
        var thread = new Thread(() =>
        {
            Exception? failure = null;
            try
            {
                using var pump = new SyncEventPump(_kafka, options, _logger);
                reading = pump;
                pump.Run(
                    read =>
                    {
                        slots.Wait(ending.Token);
                        channel.Writer.TryWrite(read);
                    },
                    ending.Token);
                channel.Writer.Complete();
                if (options.Group is not null)
                {
                    // What was left out counts as read once all that was given was taken.
                    taken.Wait(ending.Token);
                    pump.Commit();
                }
            }
            catch (Exception e)
            {
                failure = e;
            }

            channel.Writer.TryComplete(failure);
            ended.SetResult();
        })
        {
            IsBackground = true,
            Name = "Amp sync event reader",
        };
        thread.Start();
        try
        {
            var left = options.Limit ?? int.MaxValue;
            await foreach (var read in channel.Reader.ReadAllAsync(cancellationToken))
            {
                slots.Release();
                yield return read.Result;
                reading!.Store(read.Partition, read.Offset);
                if (read.Result.Event is not null && --left == 0)
                {
                    yield break;
                }
            }

            taken.Set();
            await ended.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            ending.Cancel();
            await ended.Task;
        }
    }
}
