// Extracts blocks over JSON-RPC into the tables blocks, transactions and logs with SQD's SDK, as a squid does that stores files:
//   node squid.mjs <url> <first block> <last block> <output>
// Prints what it took as a line of JSON. The columns are those of Amp that the SDK has; bytes are fixed-size or plain binary.
// The best compression its Parquet package offers is gzip. Packages come from the working directory.
import { readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { report } from './report.mjs';

const [url, first, last, output] = process.argv.slice(2);
if (!output) {
  console.error('usage: node squid.mjs <url> <first block> <last block> <output>');
  process.exit(2);
}

// Its log lines go to standard output otherwise.
process.env.SQD_WARN ??= '*';
process.env.PROMETHEUS_PORT ??= '0';
const require = createRequire(resolve('package.json'));
const { EvmBatchProcessor } = require('@subsquid/evm-processor');
const { Database, LocalDest } = require('@subsquid/file-store');
const { Column, Table, Types } = require('@subsquid/file-store-parquet');

const required = type => Column(type);
const optional = type => Column(type, { nullable: true });
// Larger pages than the 8 KB it begins with: fewer and smaller.
const options = { compression: 'GZIP', pageSize: 1024 * 1024 };

const tables = {
  blocks: new Table('blocks.parquet', {
    _block_num: required(Types.Uint64()), block_num: required(Types.Uint64()), timestamp: required(Types.Timestamp()),
    hash: required(Types.Binary()), parent_hash: required(Types.Binary()), ommers_hash: required(Types.Binary()),
    miner: required(Types.Binary()), state_root: required(Types.Binary()), transactions_root: required(Types.Binary()),
    receipt_root: required(Types.Binary()), logs_bloom: required(Types.Binary()), difficulty: required(Types.Decimal(38)),
    total_difficulty: optional(Types.Decimal(38)), gas_limit: required(Types.Uint64()), gas_used: required(Types.Uint64()),
    extra_data: required(Types.Binary()), mix_hash: required(Types.Binary()), nonce: required(Types.Uint64()),
    base_fee_per_gas: optional(Types.Decimal(38)),
  }, options),
  transactions: new Table('transactions.parquet', {
    _block_num: required(Types.Uint64()), block_hash: required(Types.Binary()), block_num: required(Types.Uint64()),
    timestamp: required(Types.Timestamp()), tx_index: required(Types.Uint32()), tx_hash: required(Types.Binary()),
    to: optional(Types.Binary()), nonce: required(Types.Uint64()), gas_price: optional(Types.Decimal(38)),
    gas_limit: required(Types.Uint64()), value: required(Types.String()), input: required(Types.Binary()), r: required(Types.Binary()),
    s: required(Types.Binary()), v_parity: required(Types.Boolean()), chain_id: optional(Types.Uint64()), gas_used: required(Types.Uint64()),
    type: required(Types.Int32()), max_fee_per_gas: optional(Types.Decimal(38)), max_priority_fee_per_gas: optional(Types.Decimal(38)),
    from: required(Types.Binary()), status: required(Types.Boolean()),
  }, options),
  logs: new Table('logs.parquet', {
    _block_num: required(Types.Uint64()), block_hash: required(Types.Binary()), block_num: required(Types.Uint64()),
    timestamp: required(Types.Timestamp()), tx_hash: required(Types.Binary()), tx_index: required(Types.Uint32()),
    log_index: required(Types.Uint32()), address: required(Types.Binary()), topic0: optional(Types.Binary()),
    topic1: optional(Types.Binary()), topic2: optional(Types.Binary()), topic3: optional(Types.Binary()), data: required(Types.Binary()),
  }, options),
};

const bytes = hex => hex == null ? undefined : Buffer.from(hex.slice(2), 'hex');
const bytes32 = hex => Buffer.from(hex.slice(2).padStart(64, '0'), 'hex');
const given = amount => amount < 0n ? undefined : amount;

function chainId(t) {
  return t.chainId ?? (t.v >= 35n ? (t.v - 35n) / 2n : undefined);
}

function parity(t) {
  return t.yParity != null ? t.yParity === 1 : t.v >= 35n ? t.v % 2n === 0n : t.v === 1n || t.v === 28n;
}

function blockRow(b) {
  return {
    _block_num: b.height, block_num: b.height, timestamp: new Date(b.timestamp), hash: bytes(b.hash), parent_hash: bytes(b.parentHash),
    ommers_hash: bytes(b.sha3Uncles), miner: bytes(b.miner), state_root: bytes(b.stateRoot), transactions_root: bytes(b.transactionsRoot),
    receipt_root: bytes(b.receiptsRoot), logs_bloom: bytes(b.logsBloom), difficulty: b.difficulty,
    total_difficulty: given(b.totalDifficulty), gas_limit: b.gasLimit, gas_used: b.gasUsed, extra_data: bytes(b.extraData),
    mix_hash: bytes(b.mixHash), nonce: BigInt(b.nonce), base_fee_per_gas: given(b.baseFeePerGas),
  };
}

function transactionRow(b, t) {
  return {
    ...b, tx_index: t.transactionIndex, tx_hash: bytes(t.hash), to: bytes(t.to), nonce: t.nonce,
    gas_price: t.type < 2 ? t.gasPrice : undefined, gas_limit: t.gas, value: t.value.toString(), input: bytes(t.input), r: bytes32(t.r),
    s: bytes32(t.s), v_parity: parity(t), chain_id: chainId(t), gas_used: t.gasUsed, type: t.type,
    max_fee_per_gas: t.type < 2 ? t.gasPrice : t.maxFeePerGas, max_priority_fee_per_gas: t.type < 2 ? undefined : t.maxPriorityFeePerGas,
    from: bytes(t.from), status: t.status === 1,
  };
}

function logRow(b, l) {
  const [topic0, topic1, topic2, topic3] = l.topics.map(bytes);
  return {
    ...b, tx_hash: bytes(l.transactionHash), tx_index: l.transactionIndex, log_index: l.logIndex, address: bytes(l.address),
    topic0, topic1, topic2, topic3, data: bytes(l.data),
  };
}

const all = (...names) => Object.fromEntries(names.map(name => [name, true]));
const range = { from: Number(first), to: Number(last) };
let blocks = 0;
const start = process.hrtime.bigint();

// The SDK ends the process itself.
process.on('exit', code => {
  if (code !== 0) {
    return;
  }

  const sizes = {};
  for (const name of Object.keys(tables)) {
    sizes[name] = readdirSync(output, { withFileTypes: true }).filter(entry => entry.isDirectory())
      .reduce((sum, chunk) => sum + statSync(join(output, chunk.name, `${name}.parquet`)).size, 0);
  }

  report(blocks, start, sizes);
});

new EvmBatchProcessor()
  .setRpcEndpoint({ url, capacity: 4, maxBatchCallSize: 10 })
  .setFinalityConfirmation(0)
  .setBlockRange(range)
  .includeAllBlocks()
  .addTransaction({})
  .addLog({})
  .setFields({
    block: all(
      'timestamp', 'sha3Uncles', 'miner', 'stateRoot', 'transactionsRoot', 'receiptsRoot', 'logsBloom', 'difficulty', 'totalDifficulty',
      'gasLimit', 'gasUsed', 'extraData', 'mixHash', 'nonce', 'baseFeePerGas'),
    transaction: all(
      'hash', 'from', 'to', 'nonce', 'gas', 'gasPrice', 'value', 'input', 'r', 's', 'v', 'yParity', 'chainId', 'gasUsed', 'type',
      'maxFeePerGas', 'maxPriorityFeePerGas', 'status'),
    log: all('transactionHash', 'address', 'topics', 'data'),
  })
  .run(new Database({ tables, dest: new LocalDest(output), chunkSizeMb: 100 }), async ({ store, blocks: batch }) => {
    for (const { header, transactions, logs } of batch) {
      const block = { _block_num: header.height, block_hash: bytes(header.hash), block_num: header.height, timestamp: new Date(header.timestamp) };
      store.blocks.write(blockRow(header));
      store.transactions.writeMany(transactions.map(transaction => transactionRow(block, transaction)));
      store.logs.writeMany(logs.map(log => logRow(block, log)));
      blocks++;
    }

    store.setForceFlush(batch.at(-1).header.height === range.to);
  });
