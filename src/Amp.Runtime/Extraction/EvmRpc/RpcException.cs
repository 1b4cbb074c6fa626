using System.Net;

namespace Amp.Extraction.EvmRpc;

/// <summary>
/// A JSON-RPC call failed: <c>RpcUnreachable</c> (no connection, no answer in time), <c>RpcHttpError</c> (a status that
/// is not 2xx), <c>RpcInvalidAnswer</c> (not JSON-RPC, or cut off), <c>RpcError</c> (the node's own error).
/// </summary>
internal sealed class RpcException : AmpException
{
    private const string SlowerAction = "Lower the provider's concurrent_request_limit, set rate_limit_per_minute, or register a further provider for the network.";
    private const string SmallerAction = "Use a node that allows larger answers, or register a further provider for the network.";

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

    /// <summary>What the node, or the way to it, wants less of.</summary>
    public RpcComplaint Complaint { get; init; }

    /// <summary>The method of the call that the node refused, where it refused one.</summary>
    public string? Method { get; init; }

    /// <summary>Whether the node says that it does not have the method.</summary>
    public bool IsMethodMissing { get; init; }

    /// <summary>No connection, or no answer in time.</summary>
    public static RpcException Unreachable(string node, string purpose, string reason, bool isTransient, Exception? inner = null, RpcComplaint complaint = RpcComplaint.None) =>
        new("RpcUnreachable", AmpErrorKind.Unavailable, $"{node} did not answer {purpose}: {reason}.", inner)
        {
            Target = node,
            IsTransient = isTransient,
            Complaint = complaint,
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

    /// <summary>An answer that is longer than anyone can use.</summary>
    public static RpcException AnswerTooLong(string node, string purpose, int mostBytes) =>
        new("RpcInvalidAnswer", AmpErrorKind.LimitReached, $"The answer of {node} to {purpose} cannot be used: it is longer than {mostBytes >> 20} MiB.")
        {
            Target = node,
            Complaint = RpcComplaint.Size,
            RecommendedAction = SmallerAction,
        };

    /// <summary>A status that is not 2xx.</summary>
    public static RpcException HttpError(string node, string purpose, HttpStatusCode status, (int Code, string Message)? error, TimeSpan? retryAfter, Exception? inner = null)
    {
        var complaint = status switch
        {
            HttpStatusCode.TooManyRequests => RpcComplaint.Rate,
            HttpStatusCode.RequestEntityTooLarge or HttpStatusCode.GatewayTimeout => RpcComplaint.Size,
            _ => error is var (code, text) ? RpcComplaints.Of(code, text) : RpcComplaint.None,
        };
        var isDenied = status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden;
        var isLimit = complaint == RpcComplaint.Rate;
        var isTransient = isLimit
            || status is HttpStatusCode.RequestTimeout or (HttpStatusCode)425
            || ((int)status >= 500 && status is not (HttpStatusCode.NotImplemented or HttpStatusCode.HttpVersionNotSupported));
        return new RpcException(
            "RpcHttpError",
            isLimit ? AmpErrorKind.LimitReached : isDenied ? AmpErrorKind.Denied : AmpErrorKind.Unavailable,
            $"{node} answered {purpose} with HTTP status {(int)status} ({status}){(error is null ? "" : $": {error.Value.Message} (code {error.Value.Code})")}.", inner)
        {
            Target = node,
            IsTransient = isTransient,
            RetryAfter = retryAfter,
            Complaint = complaint,
            RecommendedAction = isLimit ? SlowerAction
                : isDenied ? "Check the provider's url, auth_header and auth_token."
                : complaint == RpcComplaint.Size ? SmallerAction
                : "Check the provider's url and the node's health: Test-AmpProvider.",
        };
    }

    /// <summary>The node's own error.</summary>
    public static RpcException NodeError(string node, string purpose, int code, string message, string? method = null)
    {
        var isMissing = RpcComplaints.IsMethodMissing(code, message);
        var complaint = isMissing ? RpcComplaint.None : RpcComplaints.Of(code, message);
        return new RpcException(
            "RpcError",
            isMissing ? AmpErrorKind.InvalidState : complaint != RpcComplaint.None ? AmpErrorKind.LimitReached : AmpErrorKind.Unavailable,
            $"{node} refused {purpose}: {message} (code {code}).")
        {
            Target = node,
            RpcCode = code,
            Method = method,
            IsTransient = complaint switch
            {
                RpcComplaint.Rate => true,
                RpcComplaint.Size => RpcComplaints.IsTimeout(code, message),
                _ => !isMissing && IsTransientCode(code),
            },
            Complaint = complaint,
            IsMethodMissing = isMissing,
            RecommendedAction = isMissing ? "Use a node that has the method."
                : complaint == RpcComplaint.Rate ? SlowerAction
                : complaint == RpcComplaint.Size ? SmallerAction
                : "Look up the node's message; Test-AmpProvider shows whether the node is in order.",
        };
    }

    // Internal errors and the codes that servers define themselves mostly pass (a backend that lags, a limit, a
    // timeout); a request that the node cannot understand or does not offer, or pruned history, does not.
    private static bool IsTransientCode(int code) => code switch
    {
        -32603 or 429 => true,
        >= -32099 and <= -32000 => true,
        _ => false,
    };
}
