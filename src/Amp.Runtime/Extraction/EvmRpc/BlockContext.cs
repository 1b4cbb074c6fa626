namespace Amp.Extraction.EvmRpc;

/// <summary>What the rows of a block share, kept from one step of its decoding to the next and reused by the next block.</summary>
internal sealed class BlockContext
{
    private const int HashLength = 32;

    // A hash as JSON: quotes, 0x, 64 digits.
    private const int TextLength = 68;

    private readonly byte[] _hash = new byte[HashLength];
    private readonly byte[] _hashText = CreateText();
    private byte[] _transactionHashes = [];
    private byte[] _transactionHashTexts = [];

    /// <summary>The block's number.</summary>
    public ulong Number { get; private set; }

    /// <summary>Its time in nanoseconds.</summary>
    public ulong Timestamp { get; private set; }

    /// <summary>Its hash.</summary>
    public ReadOnlySpan<byte> Hash => _hash;

    /// <summary>Number of transactions.</summary>
    public int TransactionCount { get; private set; }

    /// <summary>Its hash as nodes write it in JSON, quotes included.</summary>
    public ReadOnlySpan<byte> HashText => _hashText;

    /// <summary>Begins a block.</summary>
    public void Begin(ulong number)
    {
        Number = number;
        TransactionCount = 0;
    }

    /// <summary>Takes over what the header says.</summary>
    public void SetHeader(ReadOnlySpan<byte> hash, ulong timestamp)
    {
        hash.CopyTo(_hash);
        WriteText(hash, _hashText);
        Timestamp = timestamp;
    }

    /// <summary>Adds the next transaction's hash.</summary>
    public void AddTransaction(ReadOnlySpan<byte> hash)
    {
        var index = TransactionCount++;
        if (_transactionHashes.Length < TransactionCount * HashLength)
        {
            var capacity = Math.Max(64, index * 2);
            Array.Resize(ref _transactionHashes, capacity * HashLength);
            Array.Resize(ref _transactionHashTexts, capacity * TextLength);
        }

        hash.CopyTo(_transactionHashes.AsSpan(index * HashLength));
        var text = _transactionHashTexts.AsSpan(index * TextLength, TextLength);
        WriteFrame(text);
        WriteText(hash, text);
    }

    /// <summary>Hash of a transaction.</summary>
    public ReadOnlySpan<byte> TransactionHash(int index) => _transactionHashes.AsSpan(index * HashLength, HashLength);

    /// <summary>Hash of a transaction as nodes write it in JSON, quotes included.</summary>
    public ReadOnlySpan<byte> TransactionHashText(int index) => _transactionHashTexts.AsSpan(index * TextLength, TextLength);

    private static byte[] CreateText()
    {
        var text = new byte[TextLength];
        WriteFrame(text);
        return text;
    }

    private static void WriteFrame(Span<byte> text)
    {
        "\"0x"u8.CopyTo(text);
        text[^1] = (byte)'"';
    }

    private static void WriteText(ReadOnlySpan<byte> hash, Span<byte> text) =>
        Convert.TryToHexStringLower(hash, text[3..], out _);
}
