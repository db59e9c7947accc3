"""A chaincode for tests on real peers: one function for each call that a peer offers, JSON in and out."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from shirushi_chaincode.service.errors import PeerError
from shirushi_core.fabric.chaincode import OK, KeyValue, PeerStub, Response
from shirushi_core.fabric.policy_text import parse_policy_text

Answer = Any


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


async def _pairs(results: AsyncIterator[KeyValue]) -> list[list[str]]:
    return [[each.key, each.value.decode()] async for each in results]


def _page(results: Sequence[KeyValue], bookmark: str) -> Answer:
    return {"keys": [each.key for each in results], "bookmark": bookmark}


async def put(stub: PeerStub, *items: str) -> Answer:
    """Write keys and values, given by turns."""
    for key, value in zip(items[::2], items[1::2], strict=True):
        await stub.put_state(key, value.encode())


async def put_many(stub: PeerStub, prefix: str, count: str) -> Answer:
    for number in range(int(count)):
        await stub.put_state(f"{prefix}{number:04}", str(number).encode())


async def delete(stub: PeerStub, key: str) -> Answer:
    await stub.del_state(key)


async def get(stub: PeerStub, key: str) -> Answer:
    return _text(await stub.get_state(key))


async def get_many(stub: PeerStub, *keys: str) -> Answer:
    return [_text(value) for value in await stub.get_multiple_states(keys)]


async def read_own_write(stub: PeerStub, key: str) -> Answer:
    """Write, and read what was there before."""
    await stub.put_state(key, b"written")
    return _text(await stub.get_state(key))


async def key_range(stub: PeerStub, start: str, end: str) -> Answer:
    return await _pairs(stub.get_state_by_range(start, end))


async def first_in_range(stub: PeerStub, start: str, end: str) -> Answer:
    """Look at the first of many results, and drop the rest."""
    return (await anext(stub.get_state_by_range(start, end))).key


async def page(stub: PeerStub, start: str, end: str, size: str, bookmark: str) -> Answer:
    return _page(*await stub.get_state_by_range_with_pagination(start, end, int(size), bookmark))


async def history(stub: PeerStub, key: str) -> Answer:
    return [
        ["deleted" if each.is_delete else each.value.decode(), each.tx_id, each.seconds]
        async for each in stub.get_history_for_key(key)
    ]


async def put_composite(stub: PeerStub, kind: str, *attributes: str) -> Answer:
    await stub.put_state(stub.create_composite_key(kind, attributes), "/".join(attributes).encode())


async def composite_range(stub: PeerStub, kind: str, *attributes: str) -> Answer:
    found = stub.get_state_by_partial_composite_key(kind, attributes)
    return [[*stub.split_composite_key(each.key)[1], each.value.decode()] async for each in found]


async def composite_page(stub: PeerStub, kind: str, size: str, bookmark: str) -> Answer:
    found = await stub.get_state_by_partial_composite_key_with_pagination(kind, [], int(size), bookmark)
    return _page(*found)


async def all_composite(stub: PeerStub, size: str) -> Answer:
    found, bookmark = await stub.get_all_states_composite_key_with_pagination(int(size), "")
    return [stub.split_composite_key(each.key) for each in found], bookmark


async def put_private(stub: PeerStub, collection: str, *keys: str) -> Answer:
    """Write keys with the values of the same name in the transient data."""
    for key in keys:
        await stub.put_private_data(collection, key, stub.transient[key])


async def get_private(stub: PeerStub, collection: str, *keys: str) -> Answer:
    single = [_text(await stub.get_private_data(collection, key)) for key in keys]
    assert [_text(value) for value in await stub.get_multiple_private_data(collection, keys)] == single
    return single


async def private_hash(stub: PeerStub, collection: str, key: str) -> Answer:
    found = await stub.get_private_data_hash(collection, key)
    return None if found is None else found.hex()


async def private_range(stub: PeerStub, collection: str, start: str, end: str) -> Answer:
    return await _pairs(stub.get_private_data_by_range(collection, start, end))


async def put_private_composite(stub: PeerStub, collection: str, kind: str, attribute: str) -> Answer:
    await stub.put_private_data(collection, stub.create_composite_key(kind, [attribute]), b"inside")


async def private_composite_range(stub: PeerStub, collection: str, kind: str) -> Answer:
    found = stub.get_private_data_by_partial_composite_key(collection, kind, [])
    return [stub.split_composite_key(each.key)[1] async for each in found]


async def delete_private(stub: PeerStub, collection: str, key: str) -> Answer:
    await stub.del_private_data(collection, key)


async def purge_private(stub: PeerStub, collection: str, key: str) -> Answer:
    await stub.purge_private_data(collection, key)


async def set_policy(stub: PeerStub, key: str, policy: str) -> Answer:
    await stub.set_state_validation_parameter(key, parse_policy_text(policy))


async def policy_is(stub: PeerStub, key: str, policy: str) -> Answer:
    return await stub.get_state_validation_parameter(key) == parse_policy_text(policy)


async def set_private_policy(stub: PeerStub, collection: str, key: str, policy: str) -> Answer:
    await stub.set_private_data_validation_parameter(collection, key, parse_policy_text(policy))


async def private_policy_is(stub: PeerStub, collection: str, key: str, policy: str) -> Answer:
    found = await stub.get_private_data_validation_parameter(collection, key)
    return found == parse_policy_text(policy)


async def event(stub: PeerStub, name: str, payload: str) -> Answer:
    await stub.put_state(f"event-{stub.tx_id}", b"1")
    stub.set_event("overwritten", b"")
    stub.set_event(name, payload.encode())


async def call(stub: PeerStub, name: str, *args: str) -> Answer:
    response = await stub.invoke_chaincode(name, [each.encode() for each in args])
    return {"status": response.status, "message": response.message, "payload": response.payload.decode()}


async def proposal(stub: PeerStub, *_: str) -> Answer:
    return {
        "channel": stub.channel_id,
        "tx_id": stub.tx_id,
        "function": list(stub.get_function_and_parameters()),
        "creator": base64.b64encode(stub.creator).decode(),
        "transient": {name: value.decode() for name, value in stub.transient.items()},
        "seconds": stub.timestamp[0],
        "binding": stub.binding.hex(),
        "signed": bool(stub.signed_proposal.signature),
    }


async def refused_query(stub: PeerStub) -> Answer:
    """Ask what a peer without CouchDB refuses; go on after it."""
    try:
        return await _pairs(stub.get_query_result('{"selector":{}}'))
    except PeerError as error:
        return {"raised": str(error), "after": _text(await stub.get_state("not there"))}


async def refused_private(stub: PeerStub, collection: str) -> Answer:
    """Read a collection that does not exist, and do not catch what comes of it."""
    return _text(await stub.get_private_data(collection, "key"))


async def refused_write(stub: PeerStub, collection: str) -> Answer:
    """Write to a collection that does not exist: known only once the writes are sent."""
    await stub.put_private_data(collection, "key", b"value")


FUNCTIONS: dict[str, Callable[..., Awaitable[Answer]]] = {
    each.__name__: each
    for each in (
        put, put_many, delete, get, get_many, read_own_write, key_range, first_in_range, page, history,
        put_composite, composite_range, composite_page, all_composite, put_private, get_private, private_hash,
        private_range, put_private_composite, private_composite_range, delete_private, purge_private,
        set_policy, policy_is, set_private_policy, private_policy_is, event, call, proposal,
        refused_query, refused_private, refused_write,
    )
}  # fmt: skip


class PeerChaincode:
    """Runs one of FUNCTIONS by name, and answers with JSON."""

    async def invoke(self, stub: Any) -> Response:
        name, *args = (argument.decode() for argument in stub.args)
        return Response(OK, payload=json.dumps(await FUNCTIONS[name](stub, *args)).encode())
