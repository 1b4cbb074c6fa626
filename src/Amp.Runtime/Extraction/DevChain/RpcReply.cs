namespace Amp.Extraction.DevChains;

/// <summary>How the answer in a <see cref="ResponseBuffer"/> is sent.</summary>
/// <param name="Status">HTTP status and its words.</param>
/// <param name="Header">A further header line with its end, or nothing.</param>
/// <param name="End">What becomes of the connection.</param>
internal readonly record struct RpcReply(string Status, string Header = "", RpcReplyEnd End = RpcReplyEnd.Whole)
{
    /// <summary>The answer as it should be.</summary>
    public static readonly RpcReply Ok = new("200 OK");
}

/// <summary>What becomes of a connection with an answer.</summary>
internal enum RpcReplyEnd
{
    /// <summary>The answer is sent whole.</summary>
    Whole,

    /// <summary>The connection is closed after a half of it.</summary>
    CutOff,

    /// <summary>The connection is reset before it.</summary>
    Reset,
}
