"""What a chaincode sees of the ledger, whichever engine runs it.

The embedded node implements Stub over its own state, a chaincode service over the shim protocol; a contract written
against it runs on both. Method names follow Fabric's shim.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

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


class Chaincode(Protocol):
    """Something that can be invoked."""

    async def invoke(self, stub: Stub) -> Response:
        """Run one transaction. An exception is the shell's trouble: it becomes an error response, never a write."""
        ...
