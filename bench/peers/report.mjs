// Prints, as a line of JSON, what the process took for its work.
import { existsSync, readFileSync } from 'node:fs';

// A process starts with the maxRSS of the one that started it; the peak of its own memory is in its status, where there is one.
function peakMegabytes(maxRSS) {
  const status = '/proc/self/status';
  const peak = existsSync(status) ? Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(status, 'utf8'))[1]) : maxRSS;
  return peak / 1024;
}

export function report(blocks, start, bytes) {
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  console.log(JSON.stringify({ blocks, seconds, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakMegabytes: peakMegabytes(maxRSS), bytes }));
}
