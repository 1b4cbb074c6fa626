using System.Net;

namespace Amp.Extraction.EvmRpc;

/// <summary>
/// A JSON-RPC call failed: <c>RpcUnreachable</c> (no connection, no answer in time), <c>RpcHttpError</c> (a status that
/// is not 2xx), <c>RpcInvalidAnswer</c> (not JSON-RPC, or cut off), <c>RpcError</c> (the node's own error).
/// </summary>
internal sealed class RpcException : AmpException
{
    /// <summary>JSON-RPC's code for a method that the node does not have.</summary>
    public const int MethodNotFoundCode = -32601;

    public RpcException(string errorCode, AmpErrorKind kind, string message, Exception? innerException = null)
        : base(errorCode, kind, message, innerException)
    {
    }

    /// <summary>How long the node wants to be left alone; null when it did not say.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>The node's own code of a <c>RpcError</c>.</summary>
    public int? RpcCode { get; init; }

    /// <summary>No connection, or no answer in time.</summary>
    public static RpcException Unreachable(string node, string purpose, string reason, bool isTransient, Exception? inner = null) =>
        new("RpcUnreachable", AmpErrorKind.Unavailable, $"{node} did not answer {purpose}: {reason}.", inner)
        {
            Target = node,
            IsTransient = isTransient,
            RecommendedAction = "Check the provider's url and that the node is running: Test-AmpProvider.",
        };

    /// <summary>An answer that is not what JSON-RPC says it must be.</summary>
    public static RpcException InvalidAnswer(string node, string purpose, string reason, bool isTransient, Exception? inner = null) =>
        new("RpcInvalidAnswer", AmpErrorKind.InvalidData, $"The answer of {node} to {purpose} cannot be used: {reason}.", inner)
        {
            Target = node,
            IsTransient = isTransient,
            RecommendedAction = "Check that the provider's url is that of a JSON-RPC endpoint: Test-AmpProvider.",
        };

    /// <summary>A status that is not 2xx.</summary>
    public static RpcException HttpError(string node, string purpose, HttpStatusCode status, string? detail, TimeSpan? retryAfter)
    {
        var isDenied = status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden;
        var isLimit = status is HttpStatusCode.TooManyRequests;
        var isTransient = isLimit
            || status is HttpStatusCode.RequestTimeout or (HttpStatusCode)425
            || ((int)status >= 500 && status is not (HttpStatusCode.NotImplemented or HttpStatusCode.HttpVersionNotSupported));
        return new RpcException(
            "RpcHttpError",
            isDenied ? AmpErrorKind.Denied : isLimit ? AmpErrorKind.LimitReached : AmpErrorKind.Unavailable,
            $"{node} answered {purpose} with HTTP status {(int)status} ({status}){(detail is null ? "" : $": {detail}")}.")
        {
            Target = node,
            IsTransient = isTransient,
            RetryAfter = retryAfter,
            RecommendedAction = isDenied ? "Check the provider's url, auth_header and auth_token."
                : isLimit ? "Lower the provider's concurrent_request_limit or set rate_limit_per_minute."
                : "Check the provider's url and the node's health: Test-AmpProvider.",
        };
    }

    /// <summary>The node's own error.</summary>
    public static RpcException NodeError(string node, string purpose, int code, string message) =>
        new("RpcError", code == MethodNotFoundCode ? AmpErrorKind.InvalidState : AmpErrorKind.Unavailable, $"{node} refused {purpose}: {message} (code {code}).")
        {
            Target = node,
            RpcCode = code,
            IsTransient = IsTransientCode(code),
            RecommendedAction = code == MethodNotFoundCode
                ? "Use a node that has the method; for eth_getBlockReceipts set fetch_receipts_per_tx = true in the provider file."
                : "Look up the node's message; Test-AmpProvider shows whether the node is in order.",
        };

    // Internal errors and the codes that servers define themselves mostly pass (a backend that lags, a limit, a
    // timeout); a request that the node cannot understand or does not offer, or pruned history, does not.
    private static bool IsTransientCode(int code) => code switch
    {
        -32603 or 429 => true,
        -32004 => false,
        >= -32099 and <= -32000 => true,
        _ => false,
    };
}
