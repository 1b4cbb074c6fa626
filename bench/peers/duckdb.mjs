// Turns recorded answers of a node into the tables blocks, transactions and logs, with DuckDB alone:
//   node duckdb.mjs <folder> <output> [threads]
// The folder holds answers of eth_getBlockByNumber (full transactions) in *.blocks.ndjson and of eth_getBlockReceipts in
// *.receipts.ndjson, one a line, as nodes write them. Prints what it took as a line of JSON.
// Packages come from the working directory.
import { mkdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { report } from './report.mjs';

const { DuckDBInstance } = createRequire(resolve('package.json'))('@duckdb/node-api');
const [folder, output, threads = '2'] = process.argv.slice(2);
if (!output) {
  console.error('usage: node duckdb.mjs <folder> <output> [threads]');
  process.exit(2);
}

const text = path => `'${path.replaceAll("'", "''")}'`;
const read = (name, type) =>
  `read_json(${text(join(folder, `*.${name}.ndjson`))}, format = 'newline_delimited', columns = {result: '${type}'})`;

// Types convert hex of up to 64 bits by themselves; what may be longer stays text.
const accessList = 'STRUCT(address VARCHAR, storageKeys VARCHAR[])[]';
const authorizationList = 'STRUCT(chainId UBIGINT, address VARCHAR, nonce UBIGINT, yParity UBIGINT, r VARCHAR, s VARCHAR)[]';
const header = `STRUCT(number UBIGINT, timestamp UBIGINT, hash VARCHAR, parentHash VARCHAR, sha3Uncles VARCHAR, miner VARCHAR,
  stateRoot VARCHAR, transactionsRoot VARCHAR, receiptsRoot VARCHAR, logsBloom VARCHAR, difficulty VARCHAR, totalDifficulty VARCHAR,
  gasLimit UBIGINT, gasUsed UBIGINT, extraData VARCHAR, mixHash VARCHAR, nonce UBIGINT, baseFeePerGas VARCHAR,
  withdrawalsRoot VARCHAR, blobGasUsed UBIGINT, excessBlobGas UBIGINT, parentBeaconBlockRoot VARCHAR, requestsHash VARCHAR)`;
const transaction = `STRUCT(hash VARCHAR, "from" VARCHAR, "to" VARCHAR, nonce UBIGINT, gas UBIGINT, gasPrice VARCHAR, value VARCHAR,
  input VARCHAR, r VARCHAR, s VARCHAR, v UBIGINT, yParity UBIGINT, chainId UBIGINT, type INTEGER, maxFeePerGas VARCHAR,
  maxPriorityFeePerGas VARCHAR, maxFeePerBlobGas VARCHAR, accessList ${accessList}, blobVersionedHashes VARCHAR[],
  authorizationList ${authorizationList})`;
const log = 'STRUCT(address VARCHAR, topics VARCHAR[], data VARCHAR, logIndex UINTEGER)';

const macros = `
  CREATE MACRO bytes(hex) AS unhex(substr(hex, 3));
  CREATE MACRO bytes32(hex) AS unhex(lpad(substr(hex, 3), 64, '0'));
  CREATE MACRO bytes_each(list) AS list_transform(list, lambda hex: bytes(hex));
  CREATE MACRO whole(hex) AS coalesce(TRY_CAST(hex AS UBIGINT)::HUGEINT,
    TRY_CAST(hex[:-17] AS UBIGINT)::HUGEINT * 18446744073709551616 + TRY_CAST('0x' || hex[-16:] AS UBIGINT));
  CREATE MACRO amount(hex) AS whole(hex)::DECIMAL(38, 0);
  CREATE MACRO instant(seconds) AS make_timestamp_ns((seconds * 1000000000)::BIGINT) AT TIME ZONE 'UTC';`;

const tables = {
  blocks: `
    SELECT b.number AS _block_num, b.number AS block_num, instant(b.timestamp) AS timestamp, bytes(b.hash) AS hash,
      bytes(b.parentHash) AS parent_hash, bytes(b.sha3Uncles) AS ommers_hash, bytes(b.miner) AS miner, bytes(b.stateRoot) AS state_root,
      bytes(b.transactionsRoot) AS transactions_root, bytes(b.receiptsRoot) AS receipt_root, bytes(b.logsBloom) AS logs_bloom,
      amount(b.difficulty) AS difficulty, amount(b.totalDifficulty) AS total_difficulty, b.gasLimit AS gas_limit, b.gasUsed AS gas_used,
      bytes(b.extraData) AS extra_data, bytes(b.mixHash) AS mix_hash, b.nonce AS nonce, amount(b.baseFeePerGas) AS base_fee_per_gas,
      bytes(b.withdrawalsRoot) AS withdrawals_root, b.blobGasUsed AS blob_gas_used, b.excessBlobGas AS excess_blob_gas,
      bytes(b.parentBeaconBlockRoot) AS parent_beacon_root, bytes(b.requestsHash) AS requests_hash
    FROM (SELECT result AS b FROM ${read('blocks', header)})`,

  transactions: `
    SELECT number AS _block_num, block_hash, number AS block_num, timestamp, tx_index, bytes(t.hash) AS tx_hash, bytes(t."to") AS "to",
      t.nonce AS nonce, CASE WHEN type < 2 THEN amount(t.gasPrice) END AS gas_price, t.gas AS gas_limit, whole(t.value)::VARCHAR AS value,
      bytes(t.input) AS input, bytes32(t.r) AS r, bytes32(t.s) AS s,
      CASE WHEN t.yParity IS NOT NULL THEN t.yParity = 1 WHEN t.v >= 35 THEN t.v % 2 = 0 ELSE t.v IN (1, 28) END AS v_parity,
      CASE WHEN t.chainId IS NULL AND t.v >= 35 THEN (t.v - 35) // 2 ELSE t.chainId END AS chain_id,
      r.gasUsed AS gas_used, type, amount(CASE WHEN type < 2 THEN t.gasPrice ELSE t.maxFeePerGas END) AS max_fee_per_gas,
      CASE WHEN type >= 2 THEN amount(t.maxPriorityFeePerGas) END AS max_priority_fee_per_gas,
      CASE WHEN type = 3 THEN amount(t.maxFeePerBlobGas) END AS max_fee_per_blob_gas, bytes(t."from") AS "from",
      coalesce(r.status = 1, false) AS status, bytes(r.root) AS state_root,
      CASE WHEN type >= 1 THEN list_transform(t.accessList, lambda a:
        {address: bytes(a.address), storage_keys: bytes_each(a.storageKeys)}) END AS access_list,
      CASE WHEN type = 3 THEN bytes_each(t.blobVersionedHashes) END AS blob_versioned_hashes,
      CASE WHEN type = 4 THEN list_transform(t.authorizationList, lambda a: {chain_id: a.chainId, address: bytes(a.address),
        nonce: a.nonce, y_parity: a.yParity = 1, r: bytes32(a.r), s: bytes32(a.s)}) END AS authorization_list
    FROM (SELECT *, coalesce(t.type, 0) AS type FROM (
      SELECT b.number AS number, bytes(b.hash) AS block_hash, instant(b.timestamp) AS timestamp, unnest(b.transactions) AS t,
        unnest(receipts) AS r, (generate_subscripts(b.transactions, 1) - 1)::UINTEGER AS tx_index
      FROM (SELECT result AS b FROM ${read('blocks', `STRUCT(number UBIGINT, hash VARCHAR, timestamp UBIGINT, transactions ${transaction}[])`)})
      JOIN (SELECT result AS receipts FROM ${read('receipts', 'STRUCT(blockHash VARCHAR, gasUsed UBIGINT, status UBIGINT, root VARCHAR)[]')})
        ON b.hash = receipts[1].blockHash))`,

  logs: `
    SELECT number AS _block_num, block_hash, number AS block_num, timestamp, tx_hash, tx_index, l.logIndex AS log_index,
      bytes(l.address) AS address, bytes(l.topics[1]) AS topic0, bytes(l.topics[2]) AS topic1, bytes(l.topics[3]) AS topic2,
      bytes(l.topics[4]) AS topic3, bytes(l.data) AS data
    FROM (
      SELECT number, block_hash, timestamp, bytes(r.transactionHash) AS tx_hash, r.transactionIndex AS tx_index, unnest(r.logs) AS l
      FROM (
        SELECT number, bytes(hash) AS block_hash, instant(timestamp) AS timestamp, unnest(receipts) AS r
        FROM (SELECT result.number, result.hash, result.timestamp FROM ${read('blocks', 'STRUCT(number UBIGINT, hash VARCHAR, timestamp UBIGINT)')})
        JOIN (SELECT result AS receipts FROM ${read('receipts', `STRUCT(blockHash VARCHAR, transactionHash VARCHAR, transactionIndex UINTEGER, logs ${log}[])[]`)})
          ON hash = receipts[1].blockHash))`,
};

mkdirSync(output, { recursive: true });
const start = process.hrtime.bigint();
const instance = await DuckDBInstance.create(':memory:', { threads });
const connection = await instance.connect();
await connection.run(`SET timezone = 'UTC'; ${macros}`);
const bytes = {};
let blocks = 0;
for (const [table, select] of Object.entries(tables)) {
  const file = join(output, `${table}.parquet`);
  const result = await connection.run(`COPY (${select}) TO ${text(file)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)`);
  if (table === 'blocks') {
    blocks = Number((await result.getRows())[0][0]);
  }
  bytes[table] = statSync(file).size;
}

report(blocks, start, bytes);
