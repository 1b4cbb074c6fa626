namespace Amp;

/// <summary>What kind of thing went wrong; decides PowerShell's error category, ampd's exit code and the HTTP status.</summary>
public enum AmpErrorKind
{
    /// <summary>A parameter, name, file or setting that cannot be used as given.</summary>
    InvalidInput,

    /// <summary>Something asked for by name does not exist.</summary>
    NotFound,

    /// <summary>Something with that name or identity exists already or is in use.</summary>
    Conflict,

    /// <summary>A service (database, node, broker) did not answer or refused the connection.</summary>
    Unavailable,

    /// <summary>Access was denied: credentials, file permissions.</summary>
    Denied,

    /// <summary>Data that is not what it must be: a malformed answer, a corrupt file, a mismatch.</summary>
    InvalidData,

    /// <summary>A limit was reached: disk full, memory, rate.</summary>
    LimitReached,

    /// <summary>The operation is not possible in the present state.</summary>
    InvalidState,

    /// <summary>A defect or a situation nobody foresaw.</summary>
    Internal,
}

/// <summary>
/// The one exception family of Amp. The message says what was being done, on what, and why it failed;
/// <see cref="RecommendedAction"/> says what to try.
/// </summary>
public class AmpException : Exception
{
    /// <summary>Creates an error with a stable code.</summary>
    /// <param name="errorCode">Stable identifier in PascalCase, such as <c>WorkerAlreadyRunning</c>; never changes once released.</param>
    /// <param name="kind">What kind of thing went wrong.</param>
    /// <param name="message">What was being done, on what, and why it failed. Never contains a secret.</param>
    /// <param name="innerException">The cause, where there is one.</param>
    public AmpException(string errorCode, AmpErrorKind kind, string message, Exception? innerException = null)
        : base(message, innerException)
    {
        ErrorCode = errorCode;
        Kind = kind;
    }

    /// <summary>Stable identifier of the error, such as <c>WorkerAlreadyRunning</c>.</summary>
    public string ErrorCode { get; }

    /// <summary>What kind of thing went wrong.</summary>
    public AmpErrorKind Kind { get; }

    /// <summary>What the user can do about it, best as a command to type; null when nothing sensible can be said.</summary>
    public string? RecommendedAction { get; init; }

    /// <summary>The name, path or id the error is about.</summary>
    public object? Target { get; init; }

    /// <summary>
    /// Whether the same operation may succeed later without anybody changing anything (a node that is down, a full
    /// queue). Unknown causes are not transient.
    /// </summary>
    public bool IsTransient { get; init; }

    /// <summary>The error code in the Admin API's spelling, such as <c>WORKER_ALREADY_RUNNING</c>.</summary>
    public string ApiErrorCode => string.Concat(
        ErrorCode.Select((c, i) => i > 0 && char.IsUpper(c) ? $"_{c}" : char.ToUpperInvariant(c).ToString()));
}
