"""What a chaincode sees of a Fabric peer: the Stub and PeerStub interfaces over the shim protocol.

Source: fabric-chaincode-go shim/stub.go, shim/handler.go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType

from fabric_protos.peer import chaincode_pb2, chaincode_shim_pb2, proposal_pb2

from shirushi_chaincode.service.errors import PeerError, StreamError
from shirushi_chaincode.service.messages import ChaincodeMessage, failure, nested_response, parse_payload
from shirushi_chaincode.service.queries import QueryIterator, key_modification, key_value, page
from shirushi_chaincode.service.transaction import Transaction
from shirushi_chaincode.service.writes import VALIDATION_PARAMETER, WriteBuffer
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.chaincode import KeyModification, KeyValue, PeerStub, Response
from shirushi_core.fabric.composite_key import (
    all_composite_keys,
    composite_range,
    create_composite_key,
    simple_range,
    split_composite_key,
)
from shirushi_core.fabric.proposal import Proposal, parse_signed_proposal

MAX_PAGE = 2**31 - 1
_EPOCH = bytes(8)  # always zero: parse_signed_proposal refuses any other
_PUBLIC = ""


class ShimStub(PeerStub):
    """One proposal's view of the ledger.

    Writes are kept back and sent together when the chaincode has answered, before it calls another chaincode, and before
    queries that a transaction with writes may not make; a write that the peer refuses fails there. Calls raise PeerError
    where the peer refuses, InvalidInputError for what no peer would take.
    """

    def __init__(
        self,
        transaction: Transaction,
        call: chaincode_pb2.ChaincodeInput,
        signed: proposal_pb2.SignedProposal,
    ) -> None:
        self._transaction = transaction
        self._args = tuple(call.args)
        self._decorations = call.decorations
        self._signed = signed
        self._writes = WriteBuffer()
        self._event: tuple[str, bytes] | None = None

    @cached_property
    def _proposal(self) -> Proposal:
        """The proposal, parsed when something of it is asked for: the peer has checked it, and many contracts never ask."""
        return parse_signed_proposal(self._signed)

    @property
    def channel_id(self) -> str:
        """The channel."""
        return self._transaction.channel_id

    @property
    def tx_id(self) -> str:
        """The transaction id."""
        return self._transaction.tx_id

    @property
    def args(self) -> Sequence[bytes]:
        """The arguments, the function's name first."""
        return self._args

    @property
    def creator(self) -> bytes:
        """The serialized identity of the proposal's signer."""
        return self._proposal.creator

    @property
    def timestamp(self) -> tuple[int, int]:
        """The proposal's own timestamp: (seconds, nanos)."""
        return self._proposal.timestamp_seconds, self._proposal.timestamp_nanos

    @property
    def transient(self) -> Mapping[str, bytes]:
        """Data of the proposal that is not part of the transaction."""
        return MappingProxyType(dict(self._proposal.transient))

    @property
    def signed_proposal(self) -> proposal_pb2.SignedProposal:
        """The signed proposal itself."""
        return self._signed

    @property
    def binding(self) -> bytes:
        """SHA-256(nonce ‖ creator ‖ epoch)."""
        return hashlib.sha256(self._proposal.nonce + self._proposal.creator + _EPOCH).digest()

    @property
    def decorations(self) -> Mapping[str, bytes]:
        """What the peer's decorators added to the call."""
        return MappingProxyType(dict(self._decorations))

    @property
    def event(self) -> tuple[str, bytes] | None:
        """The event set last: (name, payload)."""
        return self._event

    def get_function_and_parameters(self) -> tuple[str, list[str]]:
        """Return the first argument and the others as text; raises InvalidInputError for bytes that are none."""
        try:
            texts = [argument.decode() for argument in self._args]
        except UnicodeDecodeError:
            raise InvalidInputError("expected arguments that are UTF-8 text, found other bytes") from None
        return (texts[0], texts[1:]) if texts else ("", [])

    def set_event(self, name: str, payload: bytes) -> None:
        """Set the transaction's event; the last one counts. Raises InvalidInputError without a name."""
        if not name:
            raise InvalidInputError("event name can not be empty string")
        self._event = (name, payload)

    async def invoke_chaincode(self, name: str, args: Sequence[bytes], channel: str = "") -> Response:
        """Call another chaincode; one that cannot be called is an error response, as in Fabric's shim."""
        await self.flush_writes()
        spec = chaincode_pb2.ChaincodeSpec(
            chaincode_id=chaincode_pb2.ChaincodeID(name=f"{name}/{channel}" if channel else name),
            input=chaincode_pb2.ChaincodeInput(args=args),
        )
        try:
            return nested_response(
                await self._transaction.ask(ChaincodeMessage.INVOKE_CHAINCODE, spec.SerializeToString())
            )
        except PeerError as refusal:
            return failure(str(refusal))

    async def flush_writes(self) -> None:
        """Hand the writes so far to the peer."""
        if self._writes:
            for kind, payload in self._writes.take(self._transaction.offer.write_batch):
                await self._transaction.ask(kind, payload)

    async def get_state(self, key: str) -> bytes | None:
        return await self._get(_PUBLIC, key)

    async def get_multiple_states(self, keys: Sequence[str]) -> list[bytes | None]:
        return await self._get_multiple(_PUBLIC, keys)

    async def put_state(self, key: str, value: bytes) -> None:
        """Write a key; an empty value deletes it, as in Fabric."""
        self._writes.put(_PUBLIC, _written(key), value)

    async def del_state(self, key: str) -> None:
        self._writes.delete(_PUBLIC, _written(key))

    async def get_state_validation_parameter(self, key: str) -> bytes | None:
        return await self._get_validation_parameter(_PUBLIC, key)

    async def set_state_validation_parameter(self, key: str, policy: bytes) -> None:
        self._writes.set_validation_parameter(_PUBLIC, _written(key), policy)

    def get_state_by_range(self, start: str, end: str) -> QueryIterator[KeyValue]:
        return self._range(_PUBLIC, simple_range(start, end))

    async def get_state_by_range_with_pagination(
        self, start: str, end: str, page_size: int, bookmark: str
    ) -> tuple[list[KeyValue], str]:
        return await self._range_page(simple_range(start, end), page_size, bookmark)

    def get_history_for_key(self, key: str) -> QueryIterator[KeyModification]:
        payload = chaincode_shim_pb2.GetHistoryForKey(key=_text(key)).SerializeToString()
        return QueryIterator(
            self._transaction, ChaincodeMessage.GET_HISTORY_FOR_KEY, payload, key_modification
        )

    def create_composite_key(self, object_type: str, attributes: Sequence[str]) -> str:
        return create_composite_key(object_type, attributes)

    def split_composite_key(self, key: str) -> tuple[str, list[str]]:
        return split_composite_key(key)

    def get_state_by_partial_composite_key(
        self, object_type: str, attributes: Sequence[str]
    ) -> QueryIterator[KeyValue]:
        return self._range(_PUBLIC, composite_range(object_type, attributes))

    async def get_state_by_partial_composite_key_with_pagination(
        self, object_type: str, attributes: Sequence[str], page_size: int, bookmark: str
    ) -> tuple[list[KeyValue], str]:
        return await self._range_page(composite_range(object_type, attributes), page_size, bookmark)

    async def get_all_states_composite_key_with_pagination(
        self, page_size: int, bookmark: str
    ) -> tuple[list[KeyValue], str]:
        return await self._range_page(all_composite_keys(), page_size, bookmark)

    def get_query_result(self, query: str) -> QueryIterator[KeyValue]:
        return self._query(_PUBLIC, query)

    async def get_query_result_with_pagination(
        self, query: str, page_size: int, bookmark: str
    ) -> tuple[list[KeyValue], str]:
        metadata = _page_metadata(page_size, bookmark)
        payload = chaincode_shim_pb2.GetQueryResult(query=_text(query), metadata=metadata).SerializeToString()
        await self.flush_writes()
        return page(await self._transaction.ask(ChaincodeMessage.GET_QUERY_RESULT, payload))

    async def get_private_data(self, collection: str, key: str) -> bytes | None:
        return await self._get(_named(collection), key)

    async def get_multiple_private_data(self, collection: str, keys: Sequence[str]) -> list[bytes | None]:
        return await self._get_multiple(_named(collection), keys)

    async def get_private_data_hash(self, collection: str, key: str) -> bytes | None:
        payload = chaincode_shim_pb2.GetState(key=_text(key), collection=_named(collection))
        answer = await self._transaction.ask(
            ChaincodeMessage.GET_PRIVATE_DATA_HASH, payload.SerializeToString()
        )
        return answer or None

    async def put_private_data(self, collection: str, key: str, value: bytes) -> None:
        self._writes.put(_named(collection), _written(key), value)

    async def del_private_data(self, collection: str, key: str) -> None:
        self._writes.delete(_named(collection), _written(key))

    async def purge_private_data(self, collection: str, key: str) -> None:
        self._writes.purge(_named(collection), _written(key))

    def get_private_data_by_range(self, collection: str, start: str, end: str) -> QueryIterator[KeyValue]:
        return self._range(_named(collection), simple_range(start, end))

    def get_private_data_by_partial_composite_key(
        self, collection: str, object_type: str, attributes: Sequence[str]
    ) -> QueryIterator[KeyValue]:
        return self._range(_named(collection), composite_range(object_type, attributes))

    def get_private_data_query_result(self, collection: str, query: str) -> QueryIterator[KeyValue]:
        return self._query(_named(collection), query)

    async def get_private_data_validation_parameter(self, collection: str, key: str) -> bytes | None:
        return await self._get_validation_parameter(_named(collection), key)

    async def set_private_data_validation_parameter(self, collection: str, key: str, policy: bytes) -> None:
        self._writes.set_validation_parameter(_named(collection), _written(key), policy)

    async def _get(self, collection: str, key: str) -> bytes | None:
        payload = chaincode_shim_pb2.GetState(key=_text(key), collection=collection).SerializeToString()
        return await self._transaction.ask(ChaincodeMessage.GET_STATE, payload) or None

    async def _get_multiple(self, collection: str, keys: Sequence[str]) -> list[bytes | None]:
        at_once = self._transaction.offer.keys_at_once
        if not at_once:
            return [await self._get(collection, key) for key in keys]
        values: list[bytes | None] = []
        for first in range(0, len(keys), at_once):
            some = [_text(key) for key in keys[first : first + at_once]]
            payload = chaincode_shim_pb2.GetStateMultiple(keys=some, collection=collection)
            answer = await self._transaction.ask(
                ChaincodeMessage.GET_STATE_MULTIPLE, payload.SerializeToString()
            )
            found = parse_payload(chaincode_shim_pb2.GetStateMultipleResult, answer).values
            if len(found) != len(some):
                raise StreamError(f"expected {len(some)} values from the peer, found {len(found)}")
            values += [value or None for value in found]
        return values

    async def _get_validation_parameter(self, collection: str, key: str) -> bytes | None:
        payload = chaincode_shim_pb2.GetStateMetadata(key=_text(key), collection=collection)
        answer = await self._transaction.ask(ChaincodeMessage.GET_STATE_METADATA, payload.SerializeToString())
        entries = parse_payload(chaincode_shim_pb2.StateMetadataResult, answer).entries
        return next((bytes(entry.value) for entry in entries if entry.metakey == VALIDATION_PARAMETER), None)

    def _range(self, collection: str, bounds: tuple[str, str]) -> QueryIterator[KeyValue]:
        start, end = bounds
        payload = chaincode_shim_pb2.GetStateByRange(
            startKey=_text(start), endKey=_text(end), collection=collection
        )
        return self._iterate(collection, ChaincodeMessage.GET_STATE_BY_RANGE, payload.SerializeToString())

    async def _range_page(
        self, bounds: tuple[str, str], page_size: int, bookmark: str
    ) -> tuple[list[KeyValue], str]:
        start, end = bounds
        payload = chaincode_shim_pb2.GetStateByRange(
            startKey=_text(start), endKey=_text(end), metadata=_page_metadata(page_size, bookmark)
        ).SerializeToString()
        await self.flush_writes()
        return page(await self._transaction.ask(ChaincodeMessage.GET_STATE_BY_RANGE, payload))

    def _query(self, collection: str, query: str) -> QueryIterator[KeyValue]:
        payload = chaincode_shim_pb2.GetQueryResult(query=_text(query), collection=collection)
        return self._iterate(collection, ChaincodeMessage.GET_QUERY_RESULT, payload.SerializeToString())

    def _iterate(self, collection: str, kind: int, payload: bytes) -> QueryIterator[KeyValue]:
        # A transaction may not write and query private data; the peer tells by what it was sent before.
        before = self.flush_writes if collection else None
        return QueryIterator(self._transaction, kind, payload, key_value, before)


def _text(text: str) -> str:
    """Return text that a message can hold; raises InvalidInputError."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidInputError("expected a key that is valid UTF-8, found lone surrogates") from None
    return text


def _written(key: str) -> str:
    if not key:
        raise InvalidInputError("key must not be an empty string")
    return _text(key)


def _named(collection: str) -> str:
    if not collection:
        raise InvalidInputError("collection must not be an empty string")
    return _text(collection)


def _page_metadata(page_size: int, bookmark: str) -> bytes:
    if not 1 <= page_size <= MAX_PAGE:
        raise InvalidInputError(f"a page of {page_size} results was asked for; expected 1 to {MAX_PAGE}")
    metadata = chaincode_shim_pb2.QueryMetadata(pageSize=page_size, bookmark=_text(bookmark))
    return bytes(metadata.SerializeToString())
