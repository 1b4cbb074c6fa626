namespace Amp.Extraction.EvmRpc;

/// <summary>Brings a JSON-RPC request to a node and its answer back. Safe for use by several callers at once.</summary>
internal interface IRpcTransport : IAsyncDisposable
{
    /// <summary>
    /// Sends a request and returns the whole answer, which the caller disposes. Throws <see cref="RpcException"/>
    /// when no answer came.
    /// </summary>
    Task<PooledBytes> SendAsync(RpcRequest request, CancellationToken cancellationToken);
}

/// <summary>A JSON-RPC request as it goes over the wire.</summary>
/// <param name="Json">One call, or a list of calls.</param>
/// <param name="FirstId">
/// Id of the first call; the others follow without gaps. Never used twice by a client, so a transport that is no
/// request-answer protocol by itself (a WebSocket, a pipe) finds the request of an answer by any id in it.
/// </param>
/// <param name="CallCount">Number of calls.</param>
/// <param name="Purpose">What it asks for, for errors: method and block.</param>
internal readonly record struct RpcRequest(ReadOnlyMemory<byte> Json, long FirstId, int CallCount, string Purpose);
