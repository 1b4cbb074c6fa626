// Writes a Parquet file again with arrow-rs, whose writer ampd has:
//   node rewrite-arrow-rs.mjs in.parquet out.parquet ZSTD 2.0        (compression, version of the format)
// Pages are of 2 KiB and row groups of 250 rows, so that there are several.
import { readFileSync, writeFileSync } from 'node:fs';
import { Compression, WriterPropertiesBuilder, WriterVersion, readParquet, writeParquet } from 'parquet-wasm/node';

const [source, target, compression, version] = process.argv.slice(2);
const properties = new WriterPropertiesBuilder()
  .setCompression(Compression[compression])
  .setWriterVersion(version === '2.0' ? WriterVersion.V2 : WriterVersion.V1)
  .setMaxRowGroupSize(250)
  .setDataPageSizeLimit(2048)
  .setWriteBatchSize(32)
  .build();
writeFileSync(target, writeParquet(readParquet(readFileSync(source)), properties));
