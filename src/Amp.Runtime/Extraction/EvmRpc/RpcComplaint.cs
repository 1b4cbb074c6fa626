namespace Amp.Extraction.EvmRpc;

/// <summary>What a node wants less of.</summary>
internal enum RpcComplaint
{
    /// <summary>Nothing: the failure has another reason.</summary>
    None,

    /// <summary>Calls in a request, or bytes in its answer. Helps: the same calls in smaller requests.</summary>
    Size,

    /// <summary>Requests, at once or in a time. Helps: waiting, and fewer at once.</summary>
    Rate,
}

/// <summary>
/// Recognizes complaints in nodes' errors. The codes do not tell: -32005 is used for both kinds, -32600 and -32000 also
/// for much else. So the words count as well; where a text is misread, the calls are merely made again in vain.
/// </summary>
internal static class RpcComplaints
{
    private const int LimitExceededCode = -32005;
    private const int ResponseTooLargeCode = -32003;
    private const int TimeoutCode = -32002;

    private static readonly string[] SizeWords =
        ["too large", "too big", "too long", "batch size", "batch limit", "response size", "body size", "payload", "calls in batch", "requests in batch"];

    private static readonly string[] TimeoutWords = ["timed out", "timeout"];

    private static readonly string[] RateWords =
        ["rate limit", "rate-limit", "ratelimit", "request rate", "rate exceeded", "too many requests", "throttl", "quota", "capacity", "compute units", "slow down", "request count", "requests per", "too many concurrent"];

    private static readonly string[] MissingWords =
        ["not supported", "unsupported method", "method not found", "does not exist/is not available", "method not available", "method is not available", "not whitelisted", "method not allowed"];

    /// <summary>What a node's own error complains about.</summary>
    public static RpcComplaint Of(int code, string message) => code switch
    {
        429 => RpcComplaint.Rate,
        ResponseTooLargeCode => RpcComplaint.Size,
        _ when !IsOpen(code) => RpcComplaint.None,
        _ when Has(message, RateWords) => RpcComplaint.Rate,
        _ when Has(message, SizeWords) || IsTimeout(code, message) => RpcComplaint.Size,
        LimitExceededCode => RpcComplaint.Rate,
        _ => RpcComplaint.None,
    };

    /// <summary>Whether a node's own error says that it does not have the method.</summary>
    public static bool IsMethodMissing(int code, string message) =>
        code is -32004 or RpcException.MethodNotFoundCode || (IsOpen(code) && Has(message, MissingWords));

    /// <summary>Whether a node's own error says that it took too long: for once, or because it was asked for too much.</summary>
    public static bool IsTimeout(int code, string message) => code == TimeoutCode || (IsOpen(code) && Has(message, TimeoutWords));

    // Codes that leave the meaning to the server, and the one that many use instead.
    private static bool IsOpen(int code) => code is -32600 or (>= -32099 and <= -32000);

    private static bool Has(string message, string[] words) => Array.Exists(words, word => message.Contains(word, StringComparison.OrdinalIgnoreCase));
}
