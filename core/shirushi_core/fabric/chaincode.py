"""What a chaincode sees of the ledger, whichever engine runs it.

The embedded node implements Stub over its own state, a chaincode service over the shim protocol; a contract written
against it runs on both. A contract that also needs what only a Fabric peer has (private data, rich queries, …) is written
against PeerStub, which only the chaincode service implements. Method names follow Fabric's shim.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fabric_protos.peer import proposal_pb2

OK = 200
ERROR_THRESHOLD = 400
ERROR = 500


@dataclass(frozen=True, slots=True)
class Response:
    """A chaincode's answer (peer.Response); status ≥ 400 is an error and is not endorsed."""

    status: int
    message: str = ""
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class KeyValue:
    """One result of a range query."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class KeyModification:
    """One past value of a key, newest first (queryresult.KeyModification)."""

    tx_id: str
    seconds: int
    nanos: int
    value: bytes
    is_delete: bool


class Stub(Protocol):
    """One transaction's view of the ledger. Reads see committed state only, never the transaction's own writes."""

    @property
    def channel_id(self) -> str: ...
    @property
    def tx_id(self) -> str: ...
    @property
    def args(self) -> Sequence[bytes]: ...
    @property
    def creator(self) -> bytes:
        """The serialized identity (msp.SerializedIdentity) of the proposal's signer."""
        ...

    @property
    def timestamp(self) -> tuple[int, int]:
        """The proposal's own timestamp: (seconds, nanos)."""
        ...

    @property
    def transient(self) -> Mapping[str, bytes]: ...
    async def get_state(self, key: str) -> bytes | None: ...
    async def put_state(self, key: str, value: bytes) -> None: ...
    async def del_state(self, key: str) -> None: ...
    async def get_multiple_states(self, keys: Sequence[str]) -> list[bytes | None]: ...
    def get_state_by_range(self, start: str, end: str) -> AsyncIterator[KeyValue]:
        """Iterate over [start, end) in key order ("" is open); phantom-checked at commit."""
        ...

    async def get_state_by_range_with_pagination(
        self, start: str, end: str, page_size: int, bookmark: str
    ) -> tuple[list[KeyValue], str]:
        """Return a page and the bookmark of the next one ("" after the last); queries only, as in Fabric."""
        ...

    def get_history_for_key(self, key: str) -> AsyncIterator[KeyModification]: ...
    async def get_state_validation_parameter(self, key: str) -> bytes | None: ...
    async def set_state_validation_parameter(self, key: str, policy: bytes) -> None: ...
    async def invoke_chaincode(self, name: str, args: Sequence[bytes], channel: str = "") -> Response: ...
    def set_event(self, name: str, payload: bytes) -> None: ...


class PeerStub(Stub, Protocol):
    """Everything a Fabric peer offers a chaincode: Stub, private data, composite keys, rich queries, the proposal.

    Pages and queries of private data are for transactions that write nothing, as in Fabric. Rich queries need a peer
    whose state is in CouchDB.
    """

    @property
    def signed_proposal(self) -> proposal_pb2.SignedProposal:
        """The signed proposal itself."""
        ...

    @property
    def binding(self) -> bytes:
        """SHA-256(nonce ‖ creator ‖ epoch): ties a signature made elsewhere to this proposal."""
        ...

    @property
    def decorations(self) -> Mapping[str, bytes]:
        """What the peer's decorators added to the call."""
        ...

    def get_function_and_parameters(self) -> tuple[str, list[str]]:
        """Return the first argument and the others as text; ("", []) without any."""
        ...

    async def flush_writes(self) -> None:
        """Hand the writes so far to the peer; its refusal is raised here rather than end the proposal."""
        ...

    def create_composite_key(self, object_type: str, attributes: Sequence[str]) -> str: ...
    def split_composite_key(self, key: str) -> tuple[str, list[str]]: ...
    def get_state_by_partial_composite_key(
        self, object_type: str, attributes: Sequence[str]
    ) -> AsyncIterator[KeyValue]: ...
    async def get_state_by_partial_composite_key_with_pagination(
        self, object_type: str, attributes: Sequence[str], page_size: int, bookmark: str
    ) -> tuple[list[KeyValue], str]: ...
    async def get_all_states_composite_key_with_pagination(
        self, page_size: int, bookmark: str
    ) -> tuple[list[KeyValue], str]: ...
    def get_query_result(self, query: str) -> AsyncIterator[KeyValue]:
        """Iterate over what a CouchDB selector finds; not phantom-checked at commit."""
        ...

    async def get_query_result_with_pagination(
        self, query: str, page_size: int, bookmark: str
    ) -> tuple[list[KeyValue], str]: ...
    async def get_private_data(self, collection: str, key: str) -> bytes | None: ...
    async def get_multiple_private_data(self, collection: str, keys: Sequence[str]) -> list[bytes | None]: ...
    async def get_private_data_hash(self, collection: str, key: str) -> bytes | None:
        """Return a private value's hash, which members outside the collection have too."""
        ...

    async def put_private_data(self, collection: str, key: str, value: bytes) -> None: ...
    async def del_private_data(self, collection: str, key: str) -> None: ...
    async def purge_private_data(self, collection: str, key: str) -> None:
        """Delete a private value and all trace of its earlier ones on the members' peers."""
        ...

    def get_private_data_by_range(self, collection: str, start: str, end: str) -> AsyncIterator[KeyValue]: ...
    def get_private_data_by_partial_composite_key(
        self, collection: str, object_type: str, attributes: Sequence[str]
    ) -> AsyncIterator[KeyValue]: ...
    def get_private_data_query_result(self, collection: str, query: str) -> AsyncIterator[KeyValue]: ...
    async def get_private_data_validation_parameter(self, collection: str, key: str) -> bytes | None: ...
    async def set_private_data_validation_parameter(
        self, collection: str, key: str, policy: bytes
    ) -> None: ...


class Chaincode(Protocol):
    """Something that can be invoked."""

    async def invoke(self, stub: Stub) -> Response:
        """Run one transaction. An exception is the shell's trouble: it becomes an error response, never a write."""
        ...
