namespace Amp.Extraction.EvmRpc;

/// <summary>
/// A connection that carries whole messages both ways. One caller sends at a time, and one receives. An error or a
/// cancellation of either ends its use.
/// </summary>
internal interface IMessageChannel : IDisposable
{
    /// <summary>Sends a message.</summary>
    ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken);

    /// <summary>Receives the next message, which the caller disposes; null when the other side has closed.</summary>
    /// <exception cref="InvalidDataException">It is longer than <see cref="DuplexRpcTransport.MaxAnswerLength"/>, or not JSON.</exception>
    ValueTask<PooledBytes?> ReceiveAsync(CancellationToken cancellationToken);
}
