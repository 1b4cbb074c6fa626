namespace Amp.Extraction.DevChains;

/// <summary>A way in which a dev chain misbehaves once, as nodes and the services before them do.</summary>
internal enum DevChainFault
{
    /// <summary>It does not.</summary>
    None,

    /// <summary>HTTP status 429 that leaves open how long to wait.</summary>
    TooManyRequests,

    /// <summary>HTTP status 429 with a <c>Retry-After</c> of a second.</summary>
    TooManyRequestsRetryAfter,

    /// <summary>One of the HTTP statuses 500, 502, 503 and 504, with a page of HTML.</summary>
    ServerError,

    /// <summary>The connection is reset before the answer.</summary>
    ConnectionReset,

    /// <summary>No answer ever comes.</summary>
    Hang,

    /// <summary>The connection ends within the answer.</summary>
    CutOff,

    /// <summary>The answer's JSON ends too early, though nothing was lost on the way.</summary>
    TruncatedJson,

    /// <summary>An answer without a body.</summary>
    EmptyBody,

    /// <summary>A page of HTML with status 200.</summary>
    NotJson,

    /// <summary>A JSON-RPC error without an id instead of all answers.</summary>
    RequestError,

    /// <summary>JSON-RPC error -32005 that complains about the rate, instead of all answers.</summary>
    RateLimitError,

    /// <summary>The answers to a batch in another order.</summary>
    Shuffled,

    /// <summary>A JSON-RPC error in place of one result.</summary>
    CallError,

    /// <summary>One answer of a batch is not there; of a single call, it has an id that nobody asked for.</summary>
    MissingAnswer,

    /// <summary>The answer of a node that has not heard of the last reorg; nothing before the first one.</summary>
    OlderFork,

    /// <summary>The head of a node that is up to three blocks behind.</summary>
    LaggingHead,

    /// <summary><c>null</c> for a block that exists.</summary>
    NullBlock,

    /// <summary><c>null</c> for receipts that exist.</summary>
    ReceiptsNull,

    /// <summary>No receipts for a block that has transactions.</summary>
    ReceiptsEmpty,

    /// <summary>The last receipt is missing.</summary>
    ReceiptsIncomplete,

    /// <summary>Receipts of another block of the same number.</summary>
    ReceiptsOfAnotherFork,

    /// <summary>A receipt of another transaction.</summary>
    ReceiptsMismatched,
}
