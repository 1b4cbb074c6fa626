using System.Runtime.CompilerServices;
using Amp.Parquet;

namespace Amp.Extraction.Verification;

/// <summary>Changes single values of extracted rows.</summary>
internal static class Corruption
{
    /// <summary>
    /// What an error may name when a value of a column is not what it was; columns that are not here enter nothing that could
    /// be computed again. Whatever a row of <c>transactions</c> or <c>logs</c> is called is followed by its index.
    /// </summary>
    public static readonly IReadOnlyDictionary<string, string[]> NamedFields = new Dictionary<string, string[]>
    {
        ["blocks._block_num"] = ["_block_num is"],
        ["blocks.block_num"] = ["block_num is"],
        ["blocks.timestamp"] = ["timestamp is", "hash is"],
        ["blocks.hash"] = ["hash is"],
        ["blocks.parent_hash"] = ["hash is"],
        ["blocks.ommers_hash"] = ["hash is"],
        ["blocks.miner"] = ["hash is"],
        ["blocks.state_root"] = ["hash is"],
        ["blocks.transactions_root"] = ["hash is"],
        ["blocks.receipt_root"] = ["hash is"],
        ["blocks.logs_bloom"] = ["hash is"],
        ["blocks.difficulty"] = ["hash is"],
        ["blocks.gas_limit"] = ["hash is"],
        ["blocks.gas_used"] = ["hash is"],
        ["blocks.extra_data"] = ["hash is"],
        ["blocks.mix_hash"] = ["hash is"],
        ["blocks.nonce"] = ["hash is"],
        ["blocks.base_fee_per_gas"] = ["hash is"],
        ["blocks.withdrawals_root"] = ["hash is"],
        ["blocks.blob_gas_used"] = ["hash is"],
        ["blocks.excess_blob_gas"] = ["hash is"],
        ["blocks.parent_beacon_root"] = ["hash is"],
        ["blocks.requests_hash"] = ["hash is"],
        ["transactions._block_num"] = ["_block_num of transaction"],
        ["transactions.block_hash"] = ["block_hash of transaction"],
        ["transactions.block_num"] = ["block_num of transaction"],
        ["transactions.timestamp"] = ["timestamp of transaction"],
        ["transactions.tx_index"] = ["tx_index of transaction"],
        ["transactions.tx_hash"] = ["tx_hash of transaction"],
        ["transactions.to"] = ["tx_hash of transaction"],
        ["transactions.nonce"] = ["tx_hash of transaction"],
        ["transactions.gas_price"] = ["max_fee_per_gas of transaction", "gas_price of transaction"],
        ["transactions.gas_limit"] = ["tx_hash of transaction"],
        ["transactions.value"] = ["tx_hash of transaction", "value of transaction"],
        ["transactions.input"] = ["tx_hash of transaction"],
        ["transactions.r"] = ["tx_hash of transaction"],
        ["transactions.s"] = ["tx_hash of transaction"],
        ["transactions.v_parity"] = ["tx_hash of transaction"],
        ["transactions.chain_id"] = ["tx_hash of transaction", "chain_id of transaction"],
        ["transactions.gas_used"] = ["receipt_root is"],
        ["transactions.type"] = ["tx_hash of transaction", " of transaction {0} is null", " of transaction {0} is not null", "transaction {0} has type"],
        ["transactions.max_fee_per_gas"] = ["tx_hash of transaction", "max_fee_per_gas of transaction"],
        ["transactions.max_priority_fee_per_gas"] = ["tx_hash of transaction", "max_priority_fee_per_gas of transaction"],
        ["transactions.max_fee_per_blob_gas"] = ["tx_hash of transaction", "max_fee_per_blob_gas of transaction"],
        ["transactions.status"] = ["receipt_root is", "status of transaction"],
        ["transactions.state_root"] = ["receipt_root is"],
        ["transactions.access_list"] = ["tx_hash of transaction"],
        ["transactions.blob_versioned_hashes"] = ["tx_hash of transaction"],
        ["transactions.authorization_list"] = ["tx_hash of transaction"],
        ["logs._block_num"] = ["_block_num of log"],
        ["logs.block_hash"] = ["block_hash of log"],
        ["logs.block_num"] = ["block_num of log"],
        ["logs.timestamp"] = ["timestamp of log"],
        ["logs.tx_hash"] = ["tx_hash of log"],
        ["logs.tx_index"] = ["tx_index of log"],
        ["logs.log_index"] = ["log_index of log"],
        ["logs.address"] = ["logs_bloom is", "receipt_root is"],
        ["logs.topic0"] = ["logs_bloom is", "receipt_root is", "topic1 of log"],
        ["logs.topic1"] = ["logs_bloom is", "receipt_root is", "topic1 of log", "topic2 of log"],
        ["logs.topic2"] = ["logs_bloom is", "receipt_root is", "topic2 of log", "topic3 of log"],
        ["logs.topic3"] = ["logs_bloom is", "receipt_root is", "topic3 of log"],
        ["logs.data"] = ["receipt_root is"],
    };

    /// <summary>Columns that no hash depends on: a sum over the chain, and what a signature would have to be solved for.</summary>
    public static readonly IReadOnlyList<string> NotVerifiable = ["blocks.total_difficulty", "transactions.from"];

    /// <summary>The name of a column in <see cref="NamedFields"/>.</summary>
    public static string NameOf(TableBuffer table, ColumnBuffer column) => $"{table.Schema.Name}.{column.Leaf.Path[0]}";

    /// <summary>Flips bits of one byte of a column's values; again, and it is as it was.</summary>
    public static void Flip(ColumnBuffer column, int position, byte bits) => Unsafe.AsRef(in column.Values[position]) ^= bits;

    /// <summary>The row whose value has the byte at a position.</summary>
    public static int RowOf(ColumnBuffer column, int position)
    {
        var value = 0;
        while ((column.Leaf.Type.ValueWidth > 0 ? (value + 1) * column.Leaf.Type.ValueWidth : column.ValueEnds[value]) <= position)
        {
            value++;
        }

        var row = -1;
        for (var (entry, seen) = (0, 0); ; entry++)
        {
            row += column.RepetitionLevels.IsEmpty || column.RepetitionLevels[entry] == 0 ? 1 : 0;
            if (HasValue(column, entry) && seen++ == value)
            {
                return row;
            }
        }
    }

    /// <summary>A copy of a flat column in which one row's null is a value of zeros, or its value is null.</summary>
    public static ColumnBuffer WithNullToggled(ColumnBuffer column, int row)
    {
        var copy = new ColumnBuffer(column.Leaf);
        for (var (entry, value) = (0, 0); entry < column.EntryCount; entry++)
        {
            var hasValue = HasValue(column, entry);
            if (entry != row)
            {
                copy.Append(column, entry, 1, value, hasValue ? 1 : 0);
            }
            else if (hasValue)
            {
                copy.AddNull();
            }
            else
            {
                copy.AddFixed().Clear();
            }

            value += hasValue ? 1 : 0;
        }

        return copy;
    }

    private static bool HasValue(ColumnBuffer column, int entry) =>
        column.DefinitionLevels.IsEmpty || column.DefinitionLevels[entry] == column.Leaf.MaxDefinition;
}
