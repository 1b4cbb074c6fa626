using Amp.Extraction.Crypto;

namespace Amp.Extraction.DevChains;

/// <summary>Computes what follows from a block's contents: hashes, roots, blooms, addresses of new contracts, size.</summary>
internal static class BlockSealer
{
    /// <summary>Hash of an empty list of uncles, which every block since the merge has.</summary>
    public static Hash32 NoUnclesHash { get; } = Keccak256.Hash([0xc0]);

    /// <summary>SHA-256 of nothing: the requests hash of a block without requests (EIP-7685).</summary>
    public static Hash32 NoRequestsHash { get; } = Hash32.Parse("0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

    /// <summary>Fills in the fields of <paramref name="block"/> that follow from the others.</summary>
    public static void Seal(DevBlock block)
    {
        var writer = new RlpWriter(2048);
        var transactions = new ReadOnlyMemory<byte>[block.Transactions.Length];
        var receipts = new ReadOnlyMemory<byte>[block.Transactions.Length];
        var transactionsLength = 0;
        block.LogsBloom = new byte[LogsBloom.Length];
        for (var i = 0; i < transactions.Length; i++)
        {
            var transaction = block.Transactions[i];
            transactions[i] = Encode(writer, transaction, WriteTransaction);
            transaction.Hash = Keccak256.Hash(transactions[i].Span);
            transaction.ContractAddress = transaction.To is null ? ContractAddress(writer, transaction) : null;
            transaction.LogsBloom = BloomOf(transaction.Logs);
            LogsBloom.Merge(block.LogsBloom, transaction.LogsBloom);
            receipts[i] = Encode(writer, transaction, WriteReceipt);

            // A block holds legacy transactions as they are and the others as byte strings.
            transactionsLength += transaction.Type == 0 ? transactions[i].Length : RlpWriter.LengthOfString(transactions[i].Length);
        }

        var withdrawals = block.Withdrawals.Select(withdrawal => (ReadOnlyMemory<byte>)Encode(writer, withdrawal, WriteWithdrawal)).ToArray();
        block.TransactionsRoot = MerklePatriciaTrie.Root(transactions);
        block.ReceiptsRoot = MerklePatriciaTrie.Root(receipts);
        block.WithdrawalsRoot = MerklePatriciaTrie.Root(withdrawals);
        writer.Truncate();
        WriteHeader(writer, block);
        block.Hash = Keccak256.Hash(writer.Written);
        block.Size = RlpWriter.LengthOfList(
            writer.Length + RlpWriter.LengthOfList(transactionsLength) + RlpWriter.LengthOfList(0)
            + RlpWriter.LengthOfList(withdrawals.Sum(withdrawal => withdrawal.Length)));
    }

    private static byte[] Encode<T>(RlpWriter writer, T item, Action<RlpWriter, T> write)
    {
        writer.Truncate();
        write(writer, item);
        return writer.Written.ToArray();
    }

    private static byte[] ContractAddress(RlpWriter writer, DevTransaction transaction)
    {
        writer.Truncate();
        var list = writer.BeginList();
        writer.WriteBytes(transaction.From);
        writer.WriteNumber(transaction.Nonce);
        writer.EndList(list);
        var hash = new byte[Keccak256.HashLength];
        Keccak256.Hash(writer.Written, hash);
        return hash[12..];
    }

    private static byte[] BloomOf(DevLog[] logs)
    {
        var bloom = new byte[LogsBloom.Length];
        foreach (var log in logs)
        {
            LogsBloom.Add(bloom, log.Address);
            foreach (var topic in log.Topics)
            {
                LogsBloom.Add(bloom, topic);
            }
        }

        return bloom;
    }

    private static void WriteHeader(RlpWriter writer, DevBlock block)
    {
        var list = writer.BeginList();
        writer.WriteHash(block.ParentHash);
        writer.WriteHash(NoUnclesHash);
        writer.WriteBytes(block.Miner);
        writer.WriteBytes(block.StateRoot);
        writer.WriteHash(block.TransactionsRoot);
        writer.WriteHash(block.ReceiptsRoot);
        writer.WriteBytes(block.LogsBloom);
        writer.WriteNumber(0); // difficulty
        writer.WriteNumber(block.Number);
        writer.WriteNumber(block.GasLimit);
        writer.WriteNumber(block.GasUsed);
        writer.WriteNumber(block.Timestamp);
        writer.WriteBytes(block.ExtraData);
        writer.WriteBytes(block.MixHash);
        writer.WriteBytes(stackalloc byte[8]); // nonce
        writer.WriteNumber(block.BaseFeePerGas);
        writer.WriteHash(block.WithdrawalsRoot);
        writer.WriteNumber(block.BlobGasUsed);
        writer.WriteNumber(block.ExcessBlobGas);
        writer.WriteBytes(block.ParentBeaconBlockRoot);
        writer.WriteHash(NoRequestsHash);
        writer.EndList(list);
    }

    private static void WriteTransaction(RlpWriter writer, DevTransaction transaction)
    {
        WriteType(writer, transaction.Type);
        var list = writer.BeginList();
        if (transaction.Type > 0)
        {
            writer.WriteNumber(transaction.ChainId ?? 0);
        }

        writer.WriteNumber(transaction.Nonce);
        if (transaction.Type < 2)
        {
            writer.WriteNumber(transaction.GasPrice);
        }
        else
        {
            writer.WriteNumber(transaction.MaxPriorityFeePerGas);
            writer.WriteNumber(transaction.MaxFeePerGas);
        }

        writer.WriteNumber(transaction.Gas);
        writer.WriteBytes(transaction.To);
        writer.WriteNumber(transaction.Value);
        writer.WriteBytes(transaction.Input);
        if (transaction.Type > 0)
        {
            WriteList(writer, transaction.AccessList, WriteAccess);
        }

        if (transaction.Type == 3)
        {
            writer.WriteNumber(transaction.MaxFeePerBlobGas);
            WriteList(writer, transaction.BlobVersionedHashes, (w, hash) => w.WriteBytes(hash));
        }

        if (transaction.Type == 4)
        {
            WriteList(writer, transaction.Authorizations, WriteAuthorization);
        }

        writer.WriteNumber(transaction.V);
        writer.WriteNumber(transaction.Signature.R);
        writer.WriteNumber(transaction.Signature.S);
        writer.EndList(list);
    }

    private static void WriteReceipt(RlpWriter writer, DevTransaction transaction)
    {
        WriteType(writer, transaction.Type);
        var list = writer.BeginList();
        writer.WriteNumber(transaction.Succeeded ? 1u : 0u);
        writer.WriteNumber(transaction.CumulativeGasUsed);
        writer.WriteBytes(transaction.LogsBloom);
        WriteList(writer, transaction.Logs, WriteLog);
        writer.EndList(list);
    }

    private static void WriteLog(RlpWriter writer, DevLog log)
    {
        var list = writer.BeginList();
        writer.WriteBytes(log.Address);
        WriteList(writer, log.Topics, (w, topic) => w.WriteBytes(topic));
        writer.WriteBytes(log.Data);
        writer.EndList(list);
    }

    private static void WriteAccess(RlpWriter writer, DevAccess access)
    {
        var list = writer.BeginList();
        writer.WriteBytes(access.Address);
        WriteList(writer, access.StorageKeys, (w, key) => w.WriteBytes(key));
        writer.EndList(list);
    }

    private static void WriteAuthorization(RlpWriter writer, DevAuthorization authorization)
    {
        var list = writer.BeginList();
        writer.WriteNumber(authorization.ChainId);
        writer.WriteBytes(authorization.Address);
        writer.WriteNumber(authorization.Nonce);
        writer.WriteNumber(authorization.Signature.Parity);
        writer.WriteNumber(authorization.Signature.R);
        writer.WriteNumber(authorization.Signature.S);
        writer.EndList(list);
    }

    private static void WriteWithdrawal(RlpWriter writer, DevWithdrawal withdrawal)
    {
        var list = writer.BeginList();
        writer.WriteNumber(withdrawal.Index);
        writer.WriteNumber(withdrawal.ValidatorIndex);
        writer.WriteBytes(withdrawal.Address);
        writer.WriteNumber(withdrawal.Amount);
        writer.EndList(list);
    }

    private static void WriteType(RlpWriter writer, int type)
    {
        if (type > 0)
        {
            writer.WriteRaw([(byte)type]);
        }
    }

    private static void WriteList<T>(RlpWriter writer, T[] items, Action<RlpWriter, T> write)
    {
        var list = writer.BeginList();
        foreach (var item in items)
        {
            write(writer, item);
        }

        writer.EndList(list);
    }
}
