// OpenAttestation's wrapDocuments over the documents of a folder, batch by batch. Only that call is timed: the documents are
// in memory before, and nothing is written after. Prints one JSON line {seconds, cpu_seconds, count, failures}.
// Usage: node wrap.mjs CONFIG.json
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import openAttestation from '@govtechsg/open-attestation';

const { wrapDocuments, verifySignature } = openAttestation;
const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const documents = readdirSync(config.folder).sort().map((name) => JSON.parse(readFileSync(join(config.folder, name), 'utf8')));

wrapDocuments(documents.slice(0, config.warm_up));
const result = { seconds: 0, cpu_seconds: 0, count: 0, failures: 0 };
for (let start = 0; start < documents.length; start += config.batch) {
    const batch = documents.slice(start, start + config.batch);
    const cpu = process.cpuUsage();
    const started = performance.now();
    const wrapped = wrapDocuments(batch);
    result.seconds += (performance.now() - started) / 1000;
    const used = process.cpuUsage(cpu);
    result.cpu_seconds += (used.user + used.system) / 1e6;
    const held = verifySignature(wrapped[0]) && verifySignature(wrapped[wrapped.length - 1]);
    result.count += held ? wrapped.length : 0;
    result.failures += batch.length - (held ? wrapped.length : 0);
}
console.log(JSON.stringify(result));
