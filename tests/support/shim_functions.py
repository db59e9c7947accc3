"""What the chaincode server of the tests can do: one function for each call of the shim protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from fabric_protos.ledger.queryresult import kv_query_result_pb2
from fabric_protos.peer import chaincode_event_pb2, chaincode_pb2, chaincode_shim_pb2
from fabric_protos.peer.proposal_response_pb2 import Response
from tests.support.shim_server import EndStreamError, Function, ShimTransaction

VALIDATION_PARAMETER = "VALIDATION_PARAMETER"


async def put(transaction: ShimTransaction, args: list[str]) -> bytes:
    key, value = args
    await transaction.put(key, value.encode())
    return value.encode()


async def get(transaction: ShimTransaction, args: list[str]) -> bytes:
    return await transaction.get(args[0])


async def delete(transaction: ShimTransaction, args: list[str]) -> bytes:
    return await transaction.ask("DEL_STATE", chaincode_shim_pb2.DelState(key=args[0]))


async def batch(transaction: ShimTransaction, args: list[str]) -> bytes:
    """Write the keys given with one message."""
    record = chaincode_shim_pb2.WriteRecord
    records = [record(key=key, value=key.encode(), type=record.PUT_STATE) for key in args]
    return await transaction.ask("WRITE_BATCH_STATE", chaincode_shim_pb2.WriteBatchState(rec=records))


async def multiple(transaction: ShimTransaction, args: list[str]) -> bytes:
    answer = await transaction.ask("GET_STATE_MULTIPLE", chaincode_shim_pb2.GetStateMultiple(keys=args))
    return b",".join(chaincode_shim_pb2.GetStateMultipleResult.FromString(answer).values)


async def scan(transaction: ShimTransaction, args: list[str]) -> bytes:
    """Count a whole range, batch by batch; tells the number of results and of batches."""
    answer = await transaction.ask("GET_STATE_BY_RANGE", chaincode_shim_pb2.GetStateByRange(startKey="k"))
    response = chaincode_shim_pb2.QueryResponse.FromString(answer)
    count, batches = len(response.results), 1
    while response.has_more:
        answer = await transaction.ask("QUERY_STATE_NEXT", chaincode_shim_pb2.QueryStateNext(id=response.id))
        response = chaincode_shim_pb2.QueryResponse.FromString(answer)
        count, batches = count + len(response.results), batches + 1
    return f"{count} in {batches}".encode()


async def first_of_range(transaction: ShimTransaction, args: list[str]) -> bytes:
    """Look at the first batch only, and close the query."""
    answer = await transaction.ask("GET_STATE_BY_RANGE", chaincode_shim_pb2.GetStateByRange(startKey="k"))
    response = chaincode_shim_pb2.QueryResponse.FromString(answer)
    await transaction.ask("QUERY_STATE_CLOSE", chaincode_shim_pb2.QueryStateClose(id=response.id))
    return bytes(kv_query_result_pb2.KV.FromString(response.results[0].resultBytes).key.encode())


async def page(transaction: ShimTransaction, args: list[str]) -> bytes:
    """Return one page: its keys, and the bookmark of the next."""
    size, bookmark = args
    metadata = chaincode_shim_pb2.QueryMetadata(pageSize=int(size), bookmark=bookmark).SerializeToString()
    answer = await transaction.ask(
        "GET_STATE_BY_RANGE", chaincode_shim_pb2.GetStateByRange(startKey="k", metadata=metadata)
    )
    response = chaincode_shim_pb2.QueryResponse.FromString(answer)
    found = chaincode_shim_pb2.QueryResponseMetadata.FromString(response.metadata)
    keys = [kv_query_result_pb2.KV.FromString(each.resultBytes).key for each in response.results]
    assert found.fetched_records_count == len(keys)
    return f"{','.join(keys)}|{found.bookmark}".encode()


async def history(transaction: ShimTransaction, args: list[str]) -> bytes:
    answer = await transaction.ask("GET_HISTORY_FOR_KEY", chaincode_shim_pb2.GetHistoryForKey(key=args[0]))
    response = chaincode_shim_pb2.QueryResponse.FromString(answer)
    changes = [kv_query_result_pb2.KeyModification.FromString(each.resultBytes) for each in response.results]
    return b",".join(b"-" if change.is_delete else change.value for change in changes)


async def protect(transaction: ShimTransaction, args: list[str]) -> bytes:
    metadata = chaincode_shim_pb2.StateMetadata(metakey=VALIDATION_PARAMETER, value=bytes.fromhex(args[1]))
    return await transaction.ask(
        "PUT_STATE_METADATA", chaincode_shim_pb2.PutStateMetadata(key=args[0], metadata=metadata)
    )


async def protection(transaction: ShimTransaction, args: list[str]) -> bytes:
    answer = await transaction.ask("GET_STATE_METADATA", chaincode_shim_pb2.GetStateMetadata(key=args[0]))
    entries = chaincode_shim_pb2.StateMetadataResult.FromString(answer).entries
    return b"".join(entry.value for entry in entries if entry.metakey == VALIDATION_PARAMETER)


async def call(transaction: ShimTransaction, args: list[str]) -> bytes:
    """Call another chaincode and return its payload."""
    name, *rest = args
    spec = chaincode_pb2.ChaincodeSpec(
        chaincode_id=chaincode_pb2.ChaincodeID(name=name),
        input=chaincode_pb2.ChaincodeInput(args=[each.encode() for each in rest]),
    )
    nested = chaincode_shim_pb2.ChaincodeMessage.FromString(await transaction.ask("INVOKE_CHAINCODE", spec))
    assert nested.type == chaincode_shim_pb2.ChaincodeMessage.COMPLETED
    response = Response.FromString(nested.payload)
    return bytes(f"{response.status} {response.message}".encode() + response.payload)


async def event(transaction: ShimTransaction, args: list[str]) -> bytes:
    await transaction.put("event", b"1")
    transaction.event = chaincode_event_pb2.ChaincodeEvent(event_name=args[0], payload=b"payload")
    return b""


async def ask(transaction: ShimTransaction, args: list[str]) -> bytes:
    """Send a message of the type named, with the key and collection given."""
    kind, collection = args
    return await transaction.ask(kind, chaincode_shim_pb2.GetState(key="key", collection=collection))


async def crash(transaction: ShimTransaction, args: list[str]) -> bytes:
    raise EndStreamError


async def hang(transaction: ShimTransaction, args: list[str]) -> bytes:
    await asyncio.Event().wait()
    return b""


FUNCTIONS: Mapping[str, Function] = {
    each.__name__: each
    for each in (
        put, get, delete, batch, multiple, scan, first_of_range, page, history, protect, protection,
        call, event, ask, crash, hang,
    )
}  # fmt: skip
