using System.Buffers;

namespace Amp.Extraction.DevChains;

/// <summary>Writes a generated block as JSON, with the keys of a current geth in geth's order.</summary>
internal static class BlockRenderer
{
    public static RenderedBlock Render(DevBlock block)
    {
        var output = new ArrayBufferWriter<byte>(4096 + (2048 * block.Transactions.Length));
        var transactions = new Range[block.Transactions.Length];
        WriteHeaderBeforeTransactions(output, block);
        var listStart = output.WrittenCount;
        for (var i = 0; i < transactions.Length; i++)
        {
            output.Write(i > 0 ? ","u8 : default);
            var start = output.WrittenCount;
            WriteTransaction(output, block, i);
            transactions[i] = start..output.WrittenCount;
        }

        var list = listStart..output.WrittenCount;
        WriteHeaderAfterTransactions(output, block);
        var json = output.WrittenSpan.ToArray();

        output.ResetWrittenCount();
        var receipts = new Range[transactions.Length];
        var logIndex = 0;
        output.Write("["u8);
        for (var i = 0; i < receipts.Length; i++)
        {
            output.Write(i > 0 ? ","u8 : default);
            var start = output.WrittenCount;
            WriteReceipt(output, block, i, ref logIndex);
            receipts[i] = start..output.WrittenCount;
        }

        output.Write("]"u8);
        return new RenderedBlock(
            json, list, transactions, output.WrittenSpan.ToArray(), receipts, [.. block.Transactions.Select(t => t.Hash)]);
    }

    private static void WriteHeaderBeforeTransactions(ArrayBufferWriter<byte> output, DevBlock block)
    {
        output.Write("{\"baseFeePerGas\":"u8);
        output.WriteQuantity(block.BaseFeePerGas);
        output.Write(",\"blobGasUsed\":"u8);
        output.WriteQuantity(block.BlobGasUsed);
        output.Write(",\"difficulty\":\"0x0\",\"excessBlobGas\":"u8);
        output.WriteQuantity(block.ExcessBlobGas);
        output.Write(",\"extraData\":"u8);
        output.WriteData(block.ExtraData);
        output.Write(",\"gasLimit\":"u8);
        output.WriteQuantity(block.GasLimit);
        output.Write(",\"gasUsed\":"u8);
        output.WriteQuantity(block.GasUsed);
        output.Write(",\"hash\":"u8);
        output.WriteData(block.Hash);
        output.Write(",\"logsBloom\":"u8);
        output.WriteData(block.LogsBloom);
        output.Write(",\"miner\":"u8);
        output.WriteData(block.Miner);
        output.Write(",\"mixHash\":"u8);
        output.WriteData(block.MixHash);
        output.Write(",\"nonce\":\"0x0000000000000000\",\"number\":"u8);
        output.WriteQuantity(block.Number);
        output.Write(",\"parentBeaconBlockRoot\":"u8);
        output.WriteData(block.ParentBeaconBlockRoot);
        output.Write(",\"parentHash\":"u8);
        output.WriteData(block.ParentHash);
        output.Write(",\"receiptsRoot\":"u8);
        output.WriteData(block.ReceiptsRoot);
        output.Write(",\"requestsHash\":"u8);
        output.WriteData(BlockSealer.NoRequestsHash);
        output.Write(",\"sha3Uncles\":"u8);
        output.WriteData(BlockSealer.NoUnclesHash);
        output.Write(",\"size\":"u8);
        output.WriteQuantity((UInt128)block.Size);
        output.Write(",\"stateRoot\":"u8);
        output.WriteData(block.StateRoot);
        output.Write(",\"timestamp\":"u8);
        output.WriteQuantity(block.Timestamp);
        output.Write(",\"transactions\":["u8);
    }

    private static void WriteHeaderAfterTransactions(ArrayBufferWriter<byte> output, DevBlock block)
    {
        output.Write("],\"transactionsRoot\":"u8);
        output.WriteData(block.TransactionsRoot);
        output.Write(",\"uncles\":[],\"withdrawals\":"u8);
        WriteList(output, block.Withdrawals, WriteWithdrawal);
        output.Write(",\"withdrawalsRoot\":"u8);
        output.WriteData(block.WithdrawalsRoot);
        output.Write("}"u8);
    }

    private static void WriteTransaction(ArrayBufferWriter<byte> output, DevBlock block, int index)
    {
        var transaction = block.Transactions[index];
        output.Write("{\"blockHash\":"u8);
        output.WriteData(block.Hash);
        output.Write(",\"blockNumber\":"u8);
        output.WriteQuantity(block.Number);
        output.Write(",\"from\":"u8);
        output.WriteData(transaction.From);
        output.Write(",\"gas\":"u8);
        output.WriteQuantity(transaction.Gas);
        output.Write(",\"gasPrice\":"u8);
        output.WriteQuantity(transaction.GasPrice);
        if (transaction.Type >= 2)
        {
            output.Write(",\"maxFeePerGas\":"u8);
            output.WriteQuantity(transaction.MaxFeePerGas);
            output.Write(",\"maxPriorityFeePerGas\":"u8);
            output.WriteQuantity(transaction.MaxPriorityFeePerGas);
        }

        if (transaction.Type == 3)
        {
            output.Write(",\"maxFeePerBlobGas\":"u8);
            output.WriteQuantity(transaction.MaxFeePerBlobGas);
        }

        output.Write(",\"hash\":"u8);
        output.WriteData(transaction.Hash);
        output.Write(",\"input\":"u8);
        output.WriteData(transaction.Input);
        output.Write(",\"nonce\":"u8);
        output.WriteQuantity(transaction.Nonce);
        output.Write(",\"to\":"u8);
        output.WriteData(transaction.To);
        output.Write(",\"transactionIndex\":"u8);
        output.WriteQuantity((UInt128)index);
        output.Write(",\"value\":"u8);
        output.WriteQuantity(transaction.Value);
        output.Write(",\"type\":"u8);
        output.WriteQuantity((UInt128)transaction.Type);
        if (transaction.Type > 0)
        {
            output.Write(",\"accessList\":"u8);
            WriteList(output, transaction.AccessList, WriteAccess);
        }

        if (transaction.ChainId is { } chainId)
        {
            output.Write(",\"chainId\":"u8);
            output.WriteQuantity(chainId);
        }

        if (transaction.Type == 3)
        {
            output.Write(",\"blobVersionedHashes\":"u8);
            WriteList(output, transaction.BlobVersionedHashes, (o, hash) => o.WriteData(hash));
        }

        if (transaction.Type == 4)
        {
            output.Write(",\"authorizationList\":"u8);
            WriteList(output, transaction.Authorizations, WriteAuthorization);
        }

        output.Write(",\"v\":"u8);
        output.WriteQuantity(transaction.V);
        WriteSignature(output, transaction.Signature);
        if (transaction.Type > 0)
        {
            output.Write(",\"yParity\":"u8);
            output.WriteQuantity(transaction.Signature.Parity);
        }

        output.Write("}"u8);
    }

    private static void WriteAccess(ArrayBufferWriter<byte> output, DevAccess access)
    {
        output.Write("{\"address\":"u8);
        output.WriteData(access.Address);
        output.Write(",\"storageKeys\":"u8);
        WriteList(output, access.StorageKeys, (o, key) => o.WriteData(key));
        output.Write("}"u8);
    }

    private static void WriteAuthorization(ArrayBufferWriter<byte> output, DevAuthorization authorization)
    {
        output.Write("{\"chainId\":"u8);
        output.WriteQuantity(authorization.ChainId);
        output.Write(",\"address\":"u8);
        output.WriteData(authorization.Address);
        output.Write(",\"nonce\":"u8);
        output.WriteQuantity(authorization.Nonce);
        output.Write(",\"yParity\":"u8);
        output.WriteQuantity(authorization.Signature.Parity);
        WriteSignature(output, authorization.Signature);
        output.Write("}"u8);
    }

    private static void WriteSignature(ArrayBufferWriter<byte> output, DevSignature signature)
    {
        output.Write(",\"r\":"u8);
        output.WriteQuantity(signature.R);
        output.Write(",\"s\":"u8);
        output.WriteQuantity(signature.S);
    }

    private static void WriteWithdrawal(ArrayBufferWriter<byte> output, DevWithdrawal withdrawal)
    {
        output.Write("{\"index\":"u8);
        output.WriteQuantity(withdrawal.Index);
        output.Write(",\"validatorIndex\":"u8);
        output.WriteQuantity(withdrawal.ValidatorIndex);
        output.Write(",\"address\":"u8);
        output.WriteData(withdrawal.Address);
        output.Write(",\"amount\":"u8);
        output.WriteQuantity(withdrawal.Amount);
        output.Write("}"u8);
    }

    private static void WriteReceipt(ArrayBufferWriter<byte> output, DevBlock block, int index, ref int logIndex)
    {
        var transaction = block.Transactions[index];
        output.Write("{"u8);
        if (transaction.Type == 3)
        {
            output.Write("\"blobGasPrice\":"u8);
            output.WriteQuantity(block.BlobGasPrice);
            output.Write(",\"blobGasUsed\":"u8);
            output.WriteQuantity((UInt128)transaction.BlobVersionedHashes.Length * DevTransaction.GasPerBlob);
            output.Write(","u8);
        }

        output.Write("\"blockHash\":"u8);
        output.WriteData(block.Hash);
        output.Write(",\"blockNumber\":"u8);
        output.WriteQuantity(block.Number);
        output.Write(",\"contractAddress\":"u8);
        output.WriteData(transaction.ContractAddress);
        output.Write(",\"cumulativeGasUsed\":"u8);
        output.WriteQuantity(transaction.CumulativeGasUsed);
        output.Write(",\"effectiveGasPrice\":"u8);
        output.WriteQuantity(transaction.GasPrice);
        output.Write(",\"from\":"u8);
        output.WriteData(transaction.From);
        output.Write(",\"gasUsed\":"u8);
        output.WriteQuantity(transaction.GasUsed);
        output.Write(",\"logs\":["u8);
        for (var i = 0; i < transaction.Logs.Length; i++)
        {
            output.Write(i > 0 ? ","u8 : default);
            WriteLog(output, block, index, transaction.Logs[i], logIndex++);
        }

        output.Write("],\"logsBloom\":"u8);
        output.WriteData(transaction.LogsBloom);
        output.Write(transaction.Succeeded ? ",\"status\":\"0x1\",\"to\":"u8 : ",\"status\":\"0x0\",\"to\":"u8);
        output.WriteData(transaction.To);
        output.Write(",\"transactionHash\":"u8);
        output.WriteData(transaction.Hash);
        output.Write(",\"transactionIndex\":"u8);
        output.WriteQuantity((UInt128)index);
        output.Write(",\"type\":"u8);
        output.WriteQuantity((UInt128)transaction.Type);
        output.Write("}"u8);
    }

    private static void WriteLog(ArrayBufferWriter<byte> output, DevBlock block, int transactionIndex, DevLog log, int logIndex)
    {
        output.Write("{\"address\":"u8);
        output.WriteData(log.Address);
        output.Write(",\"topics\":"u8);
        WriteList(output, log.Topics, (o, topic) => o.WriteData(topic));
        output.Write(",\"data\":"u8);
        output.WriteData(log.Data);
        output.Write(",\"blockNumber\":"u8);
        output.WriteQuantity(block.Number);
        output.Write(",\"transactionHash\":"u8);
        output.WriteData(block.Transactions[transactionIndex].Hash);
        output.Write(",\"transactionIndex\":"u8);
        output.WriteQuantity((UInt128)transactionIndex);
        output.Write(",\"blockHash\":"u8);
        output.WriteData(block.Hash);
        output.Write(",\"blockTimestamp\":"u8);
        output.WriteQuantity(block.Timestamp);
        output.Write(",\"logIndex\":"u8);
        output.WriteQuantity((UInt128)logIndex);
        output.Write(",\"removed\":false}"u8);
    }

    private static void WriteList<T>(ArrayBufferWriter<byte> output, T[] items, Action<ArrayBufferWriter<byte>, T> write)
    {
        output.Write("["u8);
        for (var i = 0; i < items.Length; i++)
        {
            output.Write(i > 0 ? ","u8 : default);
            write(output, items[i]);
        }

        output.Write("]"u8);
    }
}
