// The official Node client under load: submits each request of a file, a number of them in flight, and awaits its commit.
// Prints one JSON line {seconds, cpu_seconds, durations, failures, first_failure}; what warms up is not in it.
// Usage: node load.mjs CONFIG.json
import { readFileSync } from 'node:fs';
import { createPrivateKey } from 'node:crypto';
import * as grpc from '@grpc/grpc-js';
import { connect, hash, signers } from '@hyperledger/fabric-gateway';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const requests = readFileSync(config.requests, 'utf8').split('\n').filter((line) => line);
const within = (seconds) => () => ({ deadline: Date.now() + 1000 * seconds });

const client = new grpc.Client(
    config.endpoint,
    grpc.credentials.createSsl(readFileSync(config.tls_root)),
    config.tls_name === null ? {} : { 'grpc.ssl_target_name_override': config.tls_name },
);
const gateway = connect({
    client,
    identity: { mspId: config.msp_id, credentials: readFileSync(config.certificate) },
    signer: signers.newPrivateKeySigner(createPrivateKey(readFileSync(config.key))),
    hash: hash.sha256,
    endorseOptions: within(config.endorse_seconds),
    submitOptions: within(config.submit_seconds),
    commitStatusOptions: within(config.commit_seconds),
});
const contract = gateway.getNetwork(config.channel).getContract(config.chaincode);

async function send(share) {
    const waiting = share.values();
    const result = { durations: [], failures: 0, first_failure: null };
    const work = async () => {
        for (const request of waiting) {
            const started = performance.now();
            try {
                await contract.submitTransaction(config.transaction, request);
                result.durations.push((performance.now() - started) / 1000);
            } catch (error) {
                result.failures += 1;
                result.first_failure ??= `${error?.name}: ${error?.message}`;
            }
        }
    };
    const cpu = process.cpuUsage();
    const started = performance.now();
    await Promise.all(Array.from({ length: config.in_flight }, work));
    result.seconds = (performance.now() - started) / 1000;
    const used = process.cpuUsage(cpu);
    result.cpu_seconds = (used.user + used.system) / 1e6;
    return result;
}

await send(requests.slice(0, config.warm_up));
console.log(JSON.stringify(await send(requests.slice(config.warm_up))));
gateway.close();
client.close();
