namespace Amp.Extraction.EvmRpc;

/// <summary>
/// A node's answer is not what it must be. Never leaves the decoder, which knows block, transaction and field and
/// makes an <see cref="AmpException"/> of it.
/// </summary>
/// <param name="problem">What is wrong: the end of a sentence that begins with the field, or a whole one.</param>
/// <param name="errorCode">Code of the error that the caller sees.</param>
internal sealed class DecodeException(string problem, string errorCode = DecodeException.InvalidBlock) : Exception(problem)
{
    /// <summary>JSON or a field of it is malformed or missing.</summary>
    public const string InvalidBlock = "InvalidBlock";

    /// <summary>The node does not have the block.</summary>
    public const string BlockNotFound = "BlockNotFound";

    /// <summary>The receipts are not those of the block's transactions.</summary>
    public const string ReceiptsMismatch = "ReceiptsMismatch";

    /// <summary>The receipts belong to another block of the same number.</summary>
    public const string ReceiptsOfAnotherBlock = "ReceiptsOfAnotherBlock";

    /// <summary>Code of the error that the caller sees.</summary>
    public string ErrorCode { get; } = errorCode;

    /// <summary>The field it is about where that is not the one read last.</summary>
    public string? Field { get; init; }

    /// <summary>Whether it is about the answer as a whole and not about a field.</summary>
    public bool IsAboutAnswer { get; init; }

    /// <summary>A field that has to be there is not.</summary>
    public static DecodeException Missing(string field) => new("is missing") { Field = field };

    /// <summary>Remembers that a key was there; the second time is an error.</summary>
    public static void ThrowIfSeen(ref uint seen, int key)
    {
        var bit = 1u << key;
        if ((seen & bit) != 0)
        {
            throw new DecodeException("is there twice");
        }

        seen |= bit;
    }
}
