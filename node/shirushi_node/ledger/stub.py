"""What a chaincode in this process sees of the ledger: the Stub interface over a Simulator.

Source: fabric-chaincode-go shim/stub.go (checks of keys and events that the shim makes before the peer is asked).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.chaincode import KeyModification, KeyValue, Response
from shirushi_node.ledger.simulator import VALIDATION_PARAMETER, RangeQuery, Simulator

CallChaincode: TypeAlias = Callable[[str, tuple[bytes, ...], str], Awaitable[Response]]
"""Runs another chaincode in the same transaction: name, arguments, channel ("" is the caller's own)."""

_FIRST_SIMPLE_KEY = "\x01"


class InProcessStub:
    """One call of one chaincode in one transaction."""

    def __init__(
        self,
        simulator: Simulator,
        namespace: str,
        *,
        channel_id: str,
        tx_id: str,
        args: Sequence[bytes],
        creator: bytes,
        timestamp: tuple[int, int],
        transient: Mapping[str, bytes],
        call_chaincode: CallChaincode,
    ) -> None:
        self._simulator = simulator
        self._namespace = namespace
        self._channel_id = channel_id
        self._tx_id = tx_id
        self._args = tuple(args)
        self._creator = creator
        self._timestamp = timestamp
        self._transient = MappingProxyType(dict(transient))
        self._call_chaincode = call_chaincode
        self._event: tuple[str, bytes] | None = None

    @property
    def channel_id(self) -> str:
        """The channel."""
        return self._channel_id

    @property
    def tx_id(self) -> str:
        """The transaction id."""
        return self._tx_id

    @property
    def args(self) -> Sequence[bytes]:
        """The arguments, the function's name first."""
        return self._args

    @property
    def creator(self) -> bytes:
        """The serialized identity of the proposal's signer."""
        return self._creator

    @property
    def timestamp(self) -> tuple[int, int]:
        """The proposal's own timestamp: (seconds, nanos)."""
        return self._timestamp

    @property
    def transient(self) -> Mapping[str, bytes]:
        """Data of the proposal that is not part of the transaction."""
        return self._transient

    @property
    def event(self) -> tuple[str, bytes] | None:
        """The event set last: (name, payload)."""
        return self._event

    async def get_state(self, key: str) -> bytes | None:
        return self._simulator.get_state(self._namespace, key)

    async def put_state(self, key: str, value: bytes) -> None:
        self._simulator.put_state(self._namespace, key, value)

    async def del_state(self, key: str) -> None:
        self._simulator.del_state(self._namespace, key)

    async def get_multiple_states(self, keys: Sequence[str]) -> list[bytes | None]:
        return [self._simulator.get_state(self._namespace, key) for key in keys]

    async def get_state_by_range(self, start: str, end: str) -> AsyncIterator[KeyValue]:
        query = self._range(start, end)
        try:
            for result in query:
                yield result
        finally:
            query.close()

    async def get_state_by_range_with_pagination(
        self, start: str, end: str, page_size: int, bookmark: str
    ) -> tuple[list[KeyValue], str]:
        if page_size < 1:
            raise InvalidInputError(f"a page of {page_size} results was asked for; expected at least 1")
        query = self._range(bookmark or start, end, page_size)
        return query.fetch(page_size), query.bookmark()

    async def get_history_for_key(self, key: str) -> AsyncIterator[KeyModification]:
        for modification in self._simulator.history(self._namespace, key):
            yield modification

    async def get_state_validation_parameter(self, key: str) -> bytes | None:
        return self._simulator.get_metadata(self._namespace, key).get(VALIDATION_PARAMETER)

    async def set_state_validation_parameter(self, key: str, policy: bytes) -> None:
        self._simulator.set_metadata(self._namespace, key, {VALIDATION_PARAMETER: policy})

    async def invoke_chaincode(self, name: str, args: Sequence[bytes], channel: str = "") -> Response:
        return await self._call_chaincode(name, tuple(args), channel)

    def set_event(self, name: str, payload: bytes) -> None:
        """Set the transaction's event; the last one counts. Raises InvalidInputError without a name."""
        if not name:
            raise InvalidInputError("event name can not be empty string")
        self._event = (name, payload)

    def _range(self, start: str, end: str, page_size: int | None = None) -> RangeQuery:
        """Query simple keys: an empty start begins behind the composite keys, as the shim has it."""
        for bound in (start, end):
            if bound.startswith("\0"):
                raise InvalidInputError(
                    f"first character of the key [{bound}] contains a null character which is not allowed"
                )
        return self._simulator.range_query(self._namespace, start or _FIRST_SIMPLE_KEY, end, page_size)
