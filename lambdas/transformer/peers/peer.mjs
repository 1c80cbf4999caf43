// The transformer as it is usually written for Node. Reads Firehose's event from
// a file, transforms it over and over for some seconds, and prints what that took.
import { readFileSync } from 'node:fs';

const handler = (event) => ({
  records: event.records.map((record) => {
    try {
      const payload = JSON.parse(Buffer.from(record.data, 'base64').toString('utf8'));
      payload.id = payload.event_id;
      payload.arrived_at = new Date(record.approximateArrivalTimestamp).toISOString();
      const data = Buffer.from(JSON.stringify(payload) + '\n').toString('base64');
      return { recordId: record.recordId, result: 'Ok', data };
    } catch {
      return { recordId: record.recordId, result: 'ProcessingFailed', data: record.data };
    }
  }),
});

const [file, seconds] = process.argv.slice(2);
const input = readFileSync(file);
const invoke = () => Buffer.from(JSON.stringify(handler(JSON.parse(input.toString('utf8')))));

const response = JSON.parse(invoke()); // once before the clock: compiled, and checked
const ok = response.records.filter((record) => record.result === 'Ok').length;
const wallEnd = process.hrtime.bigint() + BigInt(seconds * 1e9);
const begin = process.cpuUsage();
let records = 0;
do {
  invoke();
  records += response.records.length;
} while (process.hrtime.bigint() < wallEnd);
const used = process.cpuUsage(begin);
console.log(JSON.stringify({ ok, records, cpu_seconds: (used.user + used.system) / 1e6 }));
