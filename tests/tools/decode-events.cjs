// Reads what `kcat -f '%k %p %o %S\n%s'` wrote, decodes each message with proto/worker_events.proto by protobufjs, and
// writes one JSON object a line: {key, partition, offset, event}. Knows nothing of Amp but that file.
const { readFileSync } = require("node:fs");
const { loadSync } = require("protobufjs");

const [proto, dump] = process.argv.slice(2);
const WorkerEvent = loadSync(proto).lookupType("amp.worker.events.v1.WorkerEvent");
const bytes = readFileSync(dump);
for (let at = 0; at < bytes.length;) {
  const lineEnd = bytes.indexOf(0x0a, at);
  const [key, partition, offset, size] = bytes.toString("utf8", at, lineEnd).split(" ");
  at = lineEnd + 1 + Number(size);
  const event = WorkerEvent.toObject(WorkerEvent.decode(bytes.subarray(lineEnd + 1, at)), { longs: String, oneofs: true });
  console.log(JSON.stringify({ key, partition: Number(partition), offset: Number(offset), event }));
}
