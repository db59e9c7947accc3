// A chaincode on the official library, run as a server. Usage: node chaincode.js HOST:PORT
'use strict';
const shim = require('fabric-shim');

async function collect(iterator, pick) {
    const found = [];
    for (let result = await iterator.next(); ; result = await iterator.next()) {
        if (result.value) found.push(pick(result.value));
        if (result.done) break;
    }
    await iterator.close();
    return found;
}

const functions = {
    async put(stub, [key, value]) {
        await stub.putState(key, Buffer.from(value));
        return value;
    },
    async putMany(stub, [prefix, count]) {
        for (let i = 0; i < Number(count); i++) await stub.putState(`${prefix}${String(i).padStart(4, '0')}`, Buffer.from(String(i)));
    },
    get: async (stub, [key]) => stub.getState(key),
    async remove(stub, [key]) {
        await stub.deleteState(key);
    },
    range: async (stub, [start, end]) =>
        (await collect(await stub.getStateByRange(start, end), (item) => item.key)).join(','),
    async page(stub, [size, bookmark]) {
        const { iterator, metadata } = await stub.getStateByRangeWithPagination('', '', Number(size), bookmark);
        return JSON.stringify({ keys: await collect(iterator, (item) => item.key), bookmark: metadata.bookmark, count: metadata.fetchedRecordsCount });
    },
    history: async (stub, [key]) =>
        (await collect(await stub.getHistoryForKey(key), (change) => (change.isDelete ? '-' : Buffer.from(change.value).toString()))).join(','),
    async event(stub, [name, payload]) {
        await stub.putState(`event-${stub.getTxID()}`, Buffer.from('1'));
        stub.setEvent(name, Buffer.from(payload));
    },
    async composite(stub, parts) {
        const key = stub.createCompositeKey('kind', parts);
        await stub.putState(key, Buffer.from(parts.join('/')));
        return (await collect(await stub.getStateByPartialCompositeKey('kind', parts.slice(0, 1)), (item) => Buffer.from(item.value).toString())).join(',');
    },
    async call(stub, [name, ...args]) {
        const response = await stub.invokeChaincode(name, args, '');
        return `${response.status} ${response.message} ${Buffer.from(response.payload || []).toString()}`;
    },
    async protect(stub, [key, policy]) {
        await stub.setStateValidationParameter(key, Buffer.from(policy, 'hex'));
    },
    protection: async (stub, [key]) => Buffer.from((await stub.getStateValidationParameter(key)) || []).toString('hex'),
    who: async (stub) => stub.getCreator().mspid,
    transient: async (stub, [name]) => Buffer.from(stub.getTransient().get(name)).toString(),
    time: async (stub) => String(stub.getDateTimestamp().getTime()),
    async secret(stub, [collection]) {
        return stub.getPrivateData(collection, 'key');
    },
    async query(stub) {
        return stub.getQueryResult('{"selector":{}}');
    },
    async fail(stub, [message]) {
        throw new Error(message);
    },
    async crash() {
        process.exit(1);
    },
};

class Chaincode {
    async Init() {
        return shim.success();
    }

    async Invoke(stub) {
        const { fcn, params } = stub.getFunctionAndParameters();
        try {
            const result = await functions[fcn](stub, params);
            return shim.success(Buffer.from(result || ''));
        } catch (error) {
            return shim.error(error.message);
        }
    }
}

const server = shim.server(new Chaincode(), { ccid: 'npm:1.0', address: process.argv[2] });
server.start().then(() => process.stdout.write('listening\n'));
