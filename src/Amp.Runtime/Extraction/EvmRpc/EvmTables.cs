using Amp.Parquet;

namespace Amp.Extraction.EvmRpc;

/// <summary>The three tables of an <c>evm-rpc</c> dataset, column for column as existing ampd deployments write them.</summary>
internal static class EvmTables
{
    public static readonly TableSchema Blocks = new(
        "blocks",
        [
            Required("_block_num", ArrowType.UInt64),
            Required("block_num", ArrowType.UInt64),
            Required("timestamp", ArrowType.TimestampNanos),
            Required("hash", ArrowType.Bytes32),
            Required("parent_hash", ArrowType.Bytes32),
            Required("ommers_hash", ArrowType.Bytes32),
            Required("miner", ArrowType.Bytes20),
            Required("state_root", ArrowType.Bytes32),
            Required("transactions_root", ArrowType.Bytes32),
            Required("receipt_root", ArrowType.Bytes32),
            Required("logs_bloom", ArrowType.Binary),
            Required("difficulty", ArrowType.Decimal38),
            Optional("total_difficulty", ArrowType.Decimal38),
            Required("gas_limit", ArrowType.UInt64),
            Required("gas_used", ArrowType.UInt64),
            Required("extra_data", ArrowType.Binary),
            Required("mix_hash", ArrowType.Bytes32),
            Required("nonce", ArrowType.UInt64),
            Optional("base_fee_per_gas", ArrowType.Decimal38),
            Optional("withdrawals_root", ArrowType.Bytes32),
            Optional("blob_gas_used", ArrowType.UInt64),
            Optional("excess_blob_gas", ArrowType.UInt64),
            Optional("parent_beacon_root", ArrowType.Bytes32),
            Optional("requests_hash", ArrowType.Bytes32),
        ]);

    public static readonly TableSchema Transactions = new(
        "transactions",
        [
            Required("_block_num", ArrowType.UInt64),
            Required("block_hash", ArrowType.Bytes32),
            Required("block_num", ArrowType.UInt64),
            Required("timestamp", ArrowType.TimestampNanos),
            Required("tx_index", ArrowType.UInt32),
            Required("tx_hash", ArrowType.Bytes32),
            Optional("to", ArrowType.Bytes20),
            Required("nonce", ArrowType.UInt64),
            Optional("gas_price", ArrowType.Decimal38),
            Required("gas_limit", ArrowType.UInt64),
            Required("value", ArrowType.Utf8),
            Required("input", ArrowType.Binary),
            Required("r", ArrowType.Bytes32),
            Required("s", ArrowType.Bytes32),
            Required("v_parity", ArrowType.Boolean),
            Optional("chain_id", ArrowType.UInt64),
            Required("gas_used", ArrowType.UInt64),
            Required("type", ArrowType.Int32),
            Optional("max_fee_per_gas", ArrowType.Decimal38),
            Optional("max_priority_fee_per_gas", ArrowType.Decimal38),
            Optional("max_fee_per_blob_gas", ArrowType.Decimal38),
            Required("from", ArrowType.Bytes20),
            Required("status", ArrowType.Boolean),
            Optional("state_root", ArrowType.Bytes32),
            Optional("access_list", ArrowType.ListOf(new ArrowType.Struct(
            [
                Required("address", ArrowType.Bytes20),
                Required("storage_keys", ArrowType.ListOf(ArrowType.Bytes32)),
            ]))),
            Optional("blob_versioned_hashes", ArrowType.ListOf(ArrowType.Bytes32)),
            Optional("authorization_list", ArrowType.ListOf(new ArrowType.Struct(
            [
                Required("chain_id", ArrowType.UInt64),
                Required("address", ArrowType.Bytes20),
                Required("nonce", ArrowType.UInt64),
                Required("y_parity", ArrowType.Boolean),
                Required("r", ArrowType.Bytes32),
                Required("s", ArrowType.Bytes32),
            ]))),
        ]);

    public static readonly TableSchema Logs = new(
        "logs",
        [
            Required("_block_num", ArrowType.UInt64),
            Required("block_hash", ArrowType.Bytes32),
            Required("block_num", ArrowType.UInt64),
            Required("timestamp", ArrowType.TimestampNanos),
            Required("tx_hash", ArrowType.Bytes32),
            Required("tx_index", ArrowType.UInt32),
            Required("log_index", ArrowType.UInt32),
            Required("address", ArrowType.Bytes20),
            Optional("topic0", ArrowType.Bytes32),
            Optional("topic1", ArrowType.Bytes32),
            Optional("topic2", ArrowType.Bytes32),
            Optional("topic3", ArrowType.Bytes32),
            Required("data", ArrowType.Binary),
        ]);

    /// <summary>All tables, in the order in which a manifest names them.</summary>
    public static readonly IReadOnlyList<TableSchema> All = [Blocks, Transactions, Logs];

    private static ArrowField Required(string name, ArrowType type) => new(name, type, Nullable: false);

    private static ArrowField Optional(string name, ArrowType type) => new(name, type, Nullable: true);
}
