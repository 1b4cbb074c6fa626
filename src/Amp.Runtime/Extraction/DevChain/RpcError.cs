namespace Amp.Extraction.DevChains;

/// <summary>An error of JSON-RPC 2.0 or of Ethereum nodes, to be answered instead of a result.</summary>
internal sealed class RpcError(int code, string message) : Exception(message)
{
    public int Code => code;

    public static RpcError ParseError() => new(-32700, "parse error");

    public static RpcError InvalidRequest(string message = "invalid request") => new(-32600, message);

    public static RpcError MethodNotFound(string method) => new(-32601, $"the method {method} does not exist/is not available");

    public static RpcError InvalidArgument(int position, string reason) => new(-32602, $"invalid argument {position}: {reason}");

    public static RpcError MissingArgument(int position) => new(-32602, $"missing value for required argument {position}");

    public static RpcError ResponseTooLarge() => new(-32003, "response too large");
}
