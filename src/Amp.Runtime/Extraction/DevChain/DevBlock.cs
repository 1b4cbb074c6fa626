namespace Amp.Extraction.DevChains;

/// <summary>A generated block: its header's fields, its transactions with their receipts, its withdrawals.</summary>
internal sealed class DevBlock
{
    public required ulong Number { get; init; }
    public required Hash32 ParentHash { get; init; }
    public required ulong Timestamp { get; init; }
    public required byte[] Miner { get; init; }
    public required byte[] StateRoot { get; init; }
    public required byte[] MixHash { get; init; }
    public required byte[] ExtraData { get; init; }
    public required byte[] ParentBeaconBlockRoot { get; init; }
    public required ulong GasLimit { get; init; }
    public required ulong BaseFeePerGas { get; init; }
    public required ulong ExcessBlobGas { get; init; }
    public required ulong BlobGasPrice { get; init; }
    public required DevTransaction[] Transactions { get; init; }
    public required DevWithdrawal[] Withdrawals { get; init; }

    public ulong GasUsed => Transactions is [.., var last] ? last.CumulativeGasUsed : 0;
    public ulong BlobGasUsed { get; init; }

    // Follow from the rest; set by BlockSealer.
    public byte[] LogsBloom { get; set; } = [];
    public Hash32 TransactionsRoot { get; set; }
    public Hash32 ReceiptsRoot { get; set; }
    public Hash32 WithdrawalsRoot { get; set; }
    public Hash32 Hash { get; set; }

    /// <summary>Bytes of the block in RLP.</summary>
    public int Size { get; set; }
}

/// <summary>A transaction and its receipt.</summary>
internal sealed class DevTransaction
{
    /// <summary>Gas that a blob takes.</summary>
    public const ulong GasPerBlob = 131072;

    /// <summary>0 legacy, 1 access list, 2 dynamic fee, 3 blobs, 4 authorizations.</summary>
    public required int Type { get; init; }

    /// <summary>Null in a legacy transaction from before EIP-155.</summary>
    public required ulong? ChainId { get; init; }

    public required byte[] From { get; init; }

    /// <summary>Null when the transaction creates a contract.</summary>
    public required byte[]? To { get; init; }

    public required ulong Nonce { get; init; }
    public required ulong Gas { get; init; }

    /// <summary>What is paid: the price of types 0 and 1, the effective price of the others.</summary>
    public required ulong GasPrice { get; init; }

    public required ulong MaxFeePerGas { get; init; }
    public required ulong MaxPriorityFeePerGas { get; init; }
    public required ulong MaxFeePerBlobGas { get; init; }
    public required UInt128 Value { get; init; }
    public required byte[] Input { get; init; }
    public required DevAccess[] AccessList { get; init; }
    public required byte[][] BlobVersionedHashes { get; init; }
    public required DevAuthorization[] Authorizations { get; init; }
    public required DevSignature Signature { get; init; }

    /// <summary>Signature's <c>v</c>: parity, and the chain id since EIP-155, in legacy transactions; parity alone in the others.</summary>
    public ulong V => Type > 0 ? Signature.Parity : ChainId is { } id ? (id * 2) + 35 + Signature.Parity : 27UL + Signature.Parity;

    public required bool Succeeded { get; init; }
    public required ulong GasUsed { get; init; }
    public required ulong CumulativeGasUsed { get; init; }
    public required DevLog[] Logs { get; init; }

    // Follow from the rest; set by BlockSealer.
    public Hash32 Hash { get; set; }
    public byte[] LogsBloom { get; set; } = [];
    public byte[]? ContractAddress { get; set; }
}

/// <summary>A log: the contract that wrote it, up to four topics, data.</summary>
internal sealed record DevLog(byte[] Address, byte[][] Topics, byte[] Data);

/// <summary>An entry of an access list.</summary>
internal sealed record DevAccess(byte[] Address, byte[][] StorageKeys);

/// <summary>An authorization of a transaction of type 4.</summary>
internal sealed record DevAuthorization(ulong ChainId, byte[] Address, ulong Nonce, DevSignature Signature);

/// <summary>A signature; <paramref name="Parity"/> is 0 or 1.</summary>
internal sealed record DevSignature(byte Parity, byte[] R, byte[] S);

/// <summary>A withdrawal from the beacon chain; the amount is in gwei.</summary>
internal sealed record DevWithdrawal(ulong Index, ulong ValidatorIndex, byte[] Address, ulong Amount);
