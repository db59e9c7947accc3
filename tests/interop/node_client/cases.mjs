// The official Node client against an endpoint: each case prints one JSON line {name, ok, error, value}.
// Usage: node cases.mjs CONFIG.json
import { readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash, createPrivateKey } from 'node:crypto';
import assert from 'node:assert/strict';
import * as grpc from '@grpc/grpc-js';
import {
    connect, checkpointers, hash, signers, CommitError, CommitStatusError, EndorseError, GatewayError, StatusCode,
} from '@hyperledger/fabric-gateway';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const utf8 = new TextDecoder();
const identity = { mspId: config.mspId, credentials: readFileSync(config.certificate) };
const privateKey = createPrivateKey(readFileSync(config.key));
const signer = signers.newPrivateKeySigner(privateKey);
const deadline = () => ({ deadline: Date.now() + 20_000 });

const client = new grpc.Client(
    config.endpoint,
    grpc.credentials.createSsl(readFileSync(config.tlsRoot)),
    { 'grpc.ssl_target_name_override': config.tlsName },
);
const options = {
    client, identity, hash: hash.sha256, evaluateOptions: deadline, endorseOptions: deadline, submitOptions: deadline,
    commitStatusOptions: deadline,
};
const gateway = connect({ ...options, signer });
const offline = connect(options);
const network = gateway.getNetwork(config.channel);
const contract = network.getContract(config.chaincode);
const unique = (prefix) => `${prefix}-${process.pid}-${Date.now()}-${Math.random().toString(36).slice(2)}`;

async function take(iterable, count) {
    const taken = [];
    const timer = setTimeout(() => iterable.close(), 15_000);
    try {
        for await (const item of iterable) {
            taken.push(item);
            if (taken.length >= count) break;
        }
    } finally {
        clearTimeout(timer);
        iterable.close();
    }
    assert.equal(taken.length, count, `expected ${count} items, got ${taken.length}`);
    return taken;
}

async function rejected(promise, type) {
    try {
        await promise;
    } catch (error) {
        assert.ok(error instanceof type, `expected ${type.name}, got ${error?.constructor?.name}: ${error?.message}`);
        return error;
    }
    throw new Error(`expected ${type.name}, got success`);
}

const sign = (signable) => signer(signable.getDigest());

const cases = {
    async 'submit, then evaluate reads it back'() {
        const key = unique('key');
        const result = await contract.submitTransaction('put', key, 'value');
        assert.equal(utf8.decode(result), 'value');
        assert.equal(utf8.decode(await contract.evaluateTransaction('get', key)), 'value');
    },
    async 'submit carries transient data'() {
        const result = await contract.submit('transient', { transientData: { secret: 'whisper' }, arguments: ['secret'] });
        assert.equal(utf8.decode(result), 'whisper');
    },
    async 'submit to named organisations'() {
        const result = await contract.submit('put', { arguments: [unique('key'), 'x'], endorsingOrganizations: config.majority });
        assert.equal(utf8.decode(result), 'x');
    },
    async 'too few named organisations fail validation'() {
        const error = await rejected(
            contract.submit('put', { arguments: [unique('key'), 'x'], endorsingOrganizations: [config.mspId] }), CommitError);
        assert.equal(error.code, StatusCode.ENDORSEMENT_POLICY_FAILURE);
    },
    async 'submitAsync gives the result first and the status later'() {
        const commit = await contract.submitAsync('put', { arguments: [unique('key'), 'later'] });
        assert.equal(utf8.decode(commit.getResult()), 'later');
        const status = await commit.getStatus();
        assert.ok(status.successful);
        assert.equal(status.code, StatusCode.VALID);
        assert.equal(status.transactionId, commit.getTransactionId());
        assert.ok(status.blockNumber > 0n);
    },
    async 'a chaincode error on evaluate surfaces with its message'() {
        const error = await rejected(contract.evaluateTransaction('fail', 'no such thing'), GatewayError);
        assert.equal(error.code, grpc.status.UNKNOWN);
        assert.match(JSON.stringify(error.details), /no such thing/);
    },
    async 'a chaincode error on submit has details with address, MSP id and message'() {
        const error = await rejected(contract.submitTransaction('fail', 'no such thing'), EndorseError);
        assert.equal(error.code, grpc.status.ABORTED);
        assert.ok(error.transactionId);
        assert.ok(error.details.length > 0);
        for (const detail of error.details) {
            assert.match(detail.message, /no such thing/);
            assert.ok(detail.address && detail.mspId);
        }
    },
    async 'an unknown chaincode is refused'() {
        const error = await rejected(network.getContract('nothing').submitTransaction('put', 'a', 'b'), EndorseError);
        assert.ok([grpc.status.ABORTED, grpc.status.UNAVAILABLE, grpc.status.FAILED_PRECONDITION].includes(error.code), `code ${error.code}`);
    },
    async 'an unknown function is refused'() {
        const error = await rejected(contract.evaluateTransaction('nothing'), GatewayError);
        assert.match(JSON.stringify(error.details), /unknown function/);
    },
    async 'an identity of another key is refused'() {
        const stranger = connect({ ...options, signer: signers.newPrivateKeySigner(createPrivateKey(readFileSync(config.otherKey))) });
        await rejected(stranger.getNetwork(config.channel).getContract(config.chaincode).submitTransaction('put', 'a', 'b'), EndorseError);
        stranger.close();
    },
    async 'the commit status of a transaction that never was waits until the deadline'() {
        const commit = await contract.submitAsync('put', { arguments: [unique('key'), 'x'] });
        await commit.getStatus();
        const late = connect({ ...options, signer, commitStatusOptions: () => ({ deadline: Date.now() + 300 }) });
        const proposal = late.getNetwork(config.channel).getContract(config.chaincode).newProposal('put', { arguments: [unique('key'), 'x'] });
        const transaction = await proposal.endorse();
        const conflicting = gateway.newSignedTransaction(transaction.getBytes(), await sign(transaction));
        assert.equal(conflicting.getTransactionId(), transaction.getTransactionId());
        const ok = await conflicting.submit();
        assert.ok((await ok.getStatus()).successful);
        late.close();
    },
    async 'offline signing of proposal, transaction and commit'() {
        const contractOffline = offline.getNetwork(config.channel).getContract(config.chaincode);
        const key = unique('offline');
        const unsigned = contractOffline.newProposal('put', { arguments: [key, 'signed elsewhere'] });
        const proposal = offline.newSignedProposal(unsigned.getBytes(), await sign(unsigned));
        const unsignedTransaction = await proposal.endorse();
        const transaction = offline.newSignedTransaction(unsignedTransaction.getBytes(), await sign(unsignedTransaction));
        const unsignedCommit = await transaction.submit();
        const commit = offline.newSignedCommit(unsignedCommit.getBytes(), await sign(unsignedCommit));
        assert.ok((await commit.getStatus()).successful);
        const query = contractOffline.newProposal('get', { arguments: [key] });
        const signedQuery = offline.newSignedProposal(query.getBytes(), await sign(query));
        assert.equal(utf8.decode(await signedQuery.evaluate()), 'signed elsewhere');
    },
    async 'a proposal without a signature is refused'() {
        const unsigned = offline.getNetwork(config.channel).getContract(config.chaincode).newProposal('get', { arguments: ['x'] });
        await assert.rejects(unsigned.evaluate());
    },
    async 'two writes that read the same version conflict'() {
        const key = unique('conflict');
        await contract.submitTransaction('put', key, '0');
        const [first, second] = await Promise.all([1, 2].map(() => contract.newProposal('bump', { arguments: [key] }).endorse()));
        const commits = await Promise.all([first.submit(), second.submit()]);
        const codes = (await Promise.all(commits.map((commit) => commit.getStatus()))).map((status) => status.code).sort((a, b) => a - b);
        assert.deepEqual(codes, [StatusCode.VALID, StatusCode.MVCC_READ_CONFLICT]);
    },
    async 'chaincode events are received'() {
        const events = await network.getChaincodeEvents(config.chaincode);
        const name = unique('event');
        const taken = take(events, 1);
        await contract.submitTransaction('event', name, 'payload');
        const [event] = await taken;
        assert.equal(event.eventName, name);
        assert.equal(utf8.decode(event.payload), 'payload');
        assert.equal(event.chaincodeName, config.chaincode);
    },
    async 'chaincode events are replayed from a block'() {
        const name = unique('replay');
        const commit = await contract.submitAsync('event', { arguments: [name, 'again'] });
        const { blockNumber } = await commit.getStatus();
        const [event] = await take(await network.getChaincodeEvents(config.chaincode, { startBlock: blockNumber }), 1);
        assert.equal(event.eventName, name);
        assert.equal(event.blockNumber, blockNumber);
    },
    async 'a file checkpointer resumes without loss or repetition'() {
        const names = [unique('one'), unique('two'), unique('three')];
        const first = await (await contract.submitAsync('event', { arguments: [names[0], ''] })).getStatus();
        for (const name of names.slice(1)) await contract.submitTransaction('event', name, '');
        const checkpointer = await checkpointers.file(join(await mkdtemp(join(tmpdir(), 'checkpoint-')), 'checkpoint.json'));
        const seen = [];
        for (let round = 0; round < 3; round++) {
            const [event] = await take(
                await network.getChaincodeEvents(config.chaincode, { startBlock: first.blockNumber, checkpoint: checkpointer }), 1);
            seen.push(event.eventName);
            await checkpointer.checkpointChaincodeEvent(event);
        }
        assert.deepEqual(seen, names);
        await checkpointer.close?.();
    },
    async 'events within one block keep transaction order and resume after a transaction'() {
        const names = Array.from({ length: 5 }, (_, i) => unique(`burst${i}`));
        const commits = await Promise.all(names.map((name) => contract.submitAsync('event', { arguments: [name, ''] })));
        const statuses = await Promise.all(commits.map((commit) => commit.getStatus()));
        const start = statuses.map((status) => status.blockNumber).reduce((a, b) => (a < b ? a : b));
        const all = await take(await network.getChaincodeEvents(config.chaincode, { startBlock: start }), 5);
        const checkpointer = checkpointers.inMemory();
        await checkpointer.checkpointChaincodeEvent(all[1]);
        const rest = await take(await network.getChaincodeEvents(config.chaincode, { checkpoint: checkpointer }), 3);
        assert.deepEqual(rest.map((event) => event.transactionId), all.slice(2).map((event) => event.transactionId));
    },
    async 'closing one listener leaves the other'() {
        const [first, second] = [await network.getChaincodeEvents(config.chaincode), await network.getChaincodeEvents(config.chaincode)];
        const name = unique('pair');
        const taken = take(second, 1);
        const ended = (async () => { for await (const _ of first); })();
        first.close();
        await ended.catch((error) => assert.equal(error.code, grpc.status.CANCELLED));
        await contract.submitTransaction('event', name, '');
        assert.equal((await taken)[0].eventName, name);
    },
    async 'block events carry the transaction'() {
        const commit = await contract.submitAsync('put', { arguments: [unique('block'), 'x'] });
        const { blockNumber } = await commit.getStatus();
        const [block] = await take(await network.getBlockEvents({ startBlock: blockNumber }), 1);
        assert.equal(BigInt(block.getHeader().getNumber()), blockNumber);
        assert.ok(block.getData().getDataList().length >= 1);
    },
    async 'filtered block events carry transaction ids and validation codes'() {
        const commit = await contract.submitAsync('put', { arguments: [unique('filtered'), 'x'] });
        const { blockNumber } = await commit.getStatus();
        const [block] = await take(await network.getFilteredBlockEvents({ startBlock: blockNumber }), 1);
        const transactions = block.getFilteredTransactionsList().map((t) => [t.getTxid(), t.getTxValidationCode()]);
        assert.ok(transactions.some(([txid, code]) => txid === commit.getTransactionId() && code === StatusCode.VALID));
    },
    async 'block and private data events answer'() {
        const commit = await contract.submitAsync('put', { arguments: [unique('private'), 'x'] });
        const { blockNumber } = await commit.getStatus();
        const [event] = await take(await network.getBlockAndPrivateDataEvents({ startBlock: blockNumber }), 1);
        assert.equal(BigInt(event.getBlock().getHeader().getNumber()), blockNumber);
    },
    async 'block events resume from a checkpoint'() {
        const { blockNumber } = await (await contract.submitAsync('put', { arguments: [unique('a'), 'x'] })).getStatus();
        await contract.submitTransaction('put', unique('b'), 'x');
        const checkpointer = checkpointers.inMemory();
        await checkpointer.checkpointBlock(blockNumber);
        const [block] = await take(await network.getBlockEvents({ checkpoint: checkpointer }), 1);
        assert.equal(BigInt(block.getHeader().getNumber()), blockNumber + 1n);
    },
    async 'block events can be signed offline'() {
        const unsigned = offline.getNetwork(config.channel).newBlockEventsRequest({ startBlock: 1n });
        const request = offline.newSignedBlockEventsRequest(unsigned.getBytes(), await sign(unsigned));
        const [block] = await take(await request.getEvents(), 1);
        assert.equal(block.getHeader().getNumber(), 1);
    },
    async 'chaincode events can be signed offline'() {
        const { blockNumber } = await (await contract.submitAsync('event', { arguments: [unique('off'), ''] })).getStatus();
        const unsigned = offline.getNetwork(config.channel).newChaincodeEventsRequest(config.chaincode, { startBlock: blockNumber });
        const request = offline.newSignedChaincodeEventsRequest(unsigned.getBytes(), await sign(unsigned));
        const [event] = await take(await request.getEvents(), 1);
        assert.equal(event.blockNumber, blockNumber);
    },
};

const only = process.argv[3];
for (const [name, run] of Object.entries(cases)) {
    if (only && !name.includes(only)) continue;
    try {
        await run();
        console.log(JSON.stringify({ name, ok: true }));
    } catch (error) {
        const details = error?.details ? ` ${JSON.stringify(error.details)}` : '';
        console.log(JSON.stringify({ name, ok: false, error: `${error?.name}: ${error?.message}${details}`.slice(0, 2000) }));
    }
}
gateway.close();
offline.close();
client.close();
