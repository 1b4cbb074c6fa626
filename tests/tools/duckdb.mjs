// Runs SQL in DuckDB and prints each row of the result as a line of JSON:
//   node duckdb.mjs "select * from 'blocks.parquet'"      or, for long SQL, on standard input:  node duckdb.mjs -
// BLOBs are 0x-hex; integers of 64 bits and more, decimals, dates and times are strings; lists and structs are arrays
// and objects.
import { readFileSync } from 'node:fs';
import {
  DuckDBBlobValue, DuckDBInstance, DuckDBListValue, DuckDBMapValue, DuckDBStructValue,
} from '@duckdb/node-api';

const argument = process.argv[2];
if (!argument) {
  console.error('usage: node duckdb.mjs "<sql>" | -');
  process.exit(2);
}

const sql = argument === '-' ? readFileSync(0, 'utf8') : argument;

function plain(value) {
  if (value === null || value === undefined || typeof value === 'boolean' || typeof value === 'string') {
    return value ?? null;
  }
  if (typeof value === 'number') {
    return Number.isFinite(value) ? value : String(value);
  }
  if (value instanceof DuckDBBlobValue) {
    return '0x' + Buffer.from(value.bytes).toString('hex');
  }
  if (value instanceof DuckDBListValue) {
    return value.items.map(plain);
  }
  if (value instanceof DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([name, field]) => [name, plain(field)]));
  }
  if (value instanceof DuckDBMapValue) {
    return value.entries.map(({ key, value: mapped }) => ({ key: plain(key), value: plain(mapped) }));
  }
  return value.toString();
}

const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
const connection = await instance.connect();
try {
  await connection.run("set timezone = 'UTC'");
  const result = await connection.stream(sql);
  const names = result.deduplicatedColumnNames();
  let lines = [];
  for (;;) {
    const chunk = await result.fetchChunk();
    if (!chunk || chunk.rowCount === 0) {
      break;
    }
    for (const row of chunk.getRows()) {
      lines.push(JSON.stringify(Object.fromEntries(row.map((value, i) => [names[i], plain(value)]))));
    }
    process.stdout.write(lines.join('\n') + '\n');
    lines = [];
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  connection.closeSync();
  instance.closeSync();
}
