using System.Net.Sockets;
using System.Net.WebSockets;

namespace Amp.Extraction.EvmRpc;

/// <summary>
/// JSON-RPC over one connection that many requests share, and their answers come in any order: finds the request of an
/// answer by the ids in it. Connects when a request needs it, again after the connection was lost.
/// </summary>
/// <param name="options">Names the node and says how long a request may take.</param>
/// <param name="connect">Opens a connection; throws <see cref="RpcException"/> or an error of sockets.</param>
/// <param name="time">The clock.</param>
internal sealed class DuplexRpcTransport(EvmRpcOptions options, Func<string, CancellationToken, Task<IMessageChannel>> connect, TimeProvider time) : IRpcTransport
{
    /// <summary>Longest message that is received.</summary>
    public const int MaxAnswerLength = 512 << 20;

    private readonly SecretScrubber _secrets = new(options);
    private readonly SemaphoreSlim _connecting = new(1);
    private readonly CancellationTokenSource _stop = new();
    private Connection? _connection;

    /// <summary>Refuses a message that is too long before it is whole.</summary>
    /// <exception cref="InvalidDataException">It is.</exception>
    public static void RequireLength(PooledBytes message)
    {
        if (message.Length > MaxAnswerLength)
        {
            throw new InvalidDataException($"a message on the connection is longer than {MaxAnswerLength >> 20} MiB");
        }
    }

    /// <inheritdoc/>
    public async Task<PooledBytes> SendAsync(RpcRequest request, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(options.Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token, _stop.Token);
        Connection? connection = null;
        var pending = new Pending(request);
        var isAnswered = false;
        try
        {
            connection = await ConnectAsync(request.Purpose, either.Token);
            connection.Add(pending);
            await connection.SendAsync(request.Json, either.Token);
            var answer = await pending.Answer.Task.WaitAsync(either.Token);
            isAnswered = true;
            return answer;
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested && timeout.IsCancellationRequested)
        {
            connection?.NoteTimeout(pending);
            throw RpcException.Unreachable(
                options.NodeName, request.Purpose, $"no answer within {options.Timeout.TotalSeconds:0.#} s", isTransient: true, e, RpcComplaint.Size);
        }
        catch (OperationCanceledException e) when (!either.IsCancellationRequested)
        {
            // A socket that another request gave up.
            throw RpcException.Unreachable(options.NodeName, request.Purpose, "the connection was lost", isTransient: true, e);
        }
        catch (InvalidDataException e)
        {
            throw RpcException.InvalidAnswer(options.NodeName, request.Purpose, e.Message, isTransient: true, e);
        }
        catch (Exception e) when (e is IOException or SocketException or WebSocketException or ObjectDisposedException)
        {
            throw RpcException.Unreachable(options.NodeName, request.Purpose, Reason(e), isTransient: true, e);
        }
        finally
        {
            if (!isAnswered)
            {
                connection?.Remove(pending);
                pending.Abandon();
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _stop.Cancel();
        await _connecting.WaitAsync();
        if (_connection is not null)
        {
            await _connection.DisposeAsync();
        }

        _connecting.Dispose();
        _stop.Dispose();
    }

    private string Reason(Exception exception)
    {
        var cause = exception is WebSocketException { InnerException: { } inner } ? inner : exception;
        return _secrets.Scrub(cause is HttpRequestException { InnerException: SocketException socket } ? socket.Message : cause.Message).TrimEnd('.');
    }

    private async Task<Connection> ConnectAsync(string purpose, CancellationToken cancellationToken)
    {
        if (_connection is { IsOpen: true } open)
        {
            return open;
        }

        await _connecting.WaitAsync(cancellationToken);
        try
        {
            if (_connection is { IsOpen: true } other)
            {
                return other;
            }

            if (_connection is not null)
            {
                await _connection.DisposeAsync();
                _connection = null;
            }

            return _connection = new Connection(await connect(purpose, cancellationToken));
        }
        finally
        {
            _connecting.Release();
        }
    }

    /// <summary>A request that has no answer yet.</summary>
    private sealed class Pending(RpcRequest request)
    {
        public TaskCompletionSource<PooledBytes> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        // Messages that had come when it was sent.
        public long MessagesBefore { get; set; }

        /// <summary>Refuses what comes all the same; what came in this very moment is left to the garbage collector.</summary>
        public void Abandon()
        {
            if (!Answer.TrySetCanceled())
            {
                _ = Answer.Task.Exception;
            }
        }

        public bool Has(long id) => id >= request.FirstId && id < request.FirstId + request.CallCount;
    }

    /// <summary>One connection and the requests that wait for answers on it.</summary>
    private sealed class Connection : IAsyncDisposable
    {
        private readonly IMessageChannel _channel;
        private readonly Lock _lock = new();
        private readonly List<Pending> _pending = [];
        private readonly SemaphoreSlim _sending = new(1);
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _receiving;
        private Exception? _end;
        private long _messages;

        public Connection(IMessageChannel channel)
        {
            _channel = channel;
            _receiving = Task.Run(ReceiveAllAsync);
        }

        public bool IsOpen
        {
            get
            {
                lock (_lock)
                {
                    return _end is null;
                }
            }
        }

        public void Add(Pending pending)
        {
            lock (_lock)
            {
                if (_end is not null)
                {
                    throw new IOException(_end.Message, _end);
                }

                pending.MessagesBefore = _messages;
                _pending.Add(pending);
            }
        }

        public void Remove(Pending pending)
        {
            lock (_lock)
            {
                _pending.Remove(pending);
            }
        }

        public async Task SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
        {
            await _sending.WaitAsync(cancellationToken);
            try
            {
                await _channel.SendAsync(message, cancellationToken);
            }
            catch (Exception e)
            {
                // Nobody knows how much of it went out.
                End(e is OperationCanceledException ? new IOException("the connection was given up within a request", e) : e);
                throw;
            }
            finally
            {
                _sending.Release();
            }
        }

        // A connection on which nothing came for so long is most likely dead, though nobody closed it.
        public void NoteTimeout(Pending pending)
        {
            bool isSilent;
            lock (_lock)
            {
                isSilent = _messages == pending.MessagesBefore;
            }

            if (isSilent)
            {
                End(new IOException("the connection was silent for too long"));
            }
        }

        public async ValueTask DisposeAsync()
        {
            End(new IOException("the connection was closed"));
            await _receiving;
            _channel.Dispose();
            _stop.Dispose();
        }

        private async Task ReceiveAllAsync()
        {
            try
            {
                while (await _channel.ReceiveAsync(_stop.Token) is { } message)
                {
                    Deliver(message);
                }

                End(new IOException("the node closed the connection"));
            }
            catch (Exception e)
            {
                End(e is OperationCanceledException ? new IOException("the connection was closed", e) : e);
            }
        }

        private void Deliver(PooledBytes message)
        {
            var isAnswer = TryReadId(message, out var id);
            Pending? found = null;
            lock (_lock)
            {
                _messages++;
                if (isAnswer)
                {
                    // Without an id, it is the refusal of a request that the node could not read: it reads them in order.
                    found = id is { } known ? _pending.Find(pending => pending.Has(known)) : _pending.FirstOrDefault();
                    if (found is not null)
                    {
                        _pending.Remove(found);
                    }
                }
            }

            if (found is null || !found.Answer.TrySetResult(message))
            {
                // A notification, or an answer that came too late.
                message.Dispose();
            }
        }

        // Whether it is an answer, and any id in it that the node gave.
        private static bool TryReadId(PooledBytes message, out long? id)
        {
            try
            {
                var items = RpcEnvelope.Read(message.Memory.Span);
                id = items.Find(item => item.Id is not null).Id;
                return id is not null || items.Exists(item => item.Error is not null);
            }
            catch (DecodeException e)
            {
                throw new InvalidDataException($"what came on the connection {e.Message}", e);
            }
        }

        private void End(Exception reason)
        {
            Pending[] lost;
            lock (_lock)
            {
                if (_end is not null)
                {
                    return;
                }

                _end = reason;
                lost = [.. _pending];
                _pending.Clear();
            }

            _stop.Cancel();
            foreach (var pending in lost)
            {
                pending.Answer.TrySetException(reason);
            }
        }
    }
}
