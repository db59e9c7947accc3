"""The chaincodes of a channel and what runs them: objects in this process, chaincode servers, system chaincodes.

Source: core/chaincode/chaincode_support.go, core/chaincode/handler.go (HandleInvokeChaincode).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shirushi_node.ledger.definitions import ChaincodeDefinition, ExternalServer
from shirushi_node.ledger.in_process import InProcessRuntime
from shirushi_node.ledger.invocation import (
    ChaincodeFailureError,
    Completion,
    Invocation,
    InvocationError,
    Runtime,
)
from shirushi_node.ledger.proposals import SYSTEM_CHAINCODES
from shirushi_node.ledger.shim.server import ShimRuntime
from shirushi_node.ledger.system import SystemChaincode

EXECUTE_TIMEOUT = 30.0
"""Seconds a chaincode has for one transaction, as in Fabric's core.yaml."""

SYSTEM_VERSION = "syscc"

_INITIALIZED = "\x00\U0010ffffinitialized"
"""The key under which Fabric keeps the version a chaincode was initialised for."""


class Chaincodes:
    """Runs chaincodes by name."""

    def __init__(
        self,
        definitions: Mapping[str, ChaincodeDefinition],
        system: Iterable[SystemChaincode],
        *,
        execute_timeout: float = EXECUTE_TIMEOUT,
    ) -> None:
        self._definitions = definitions
        self._system = {each.name: each for each in system}
        self._timeout = execute_timeout
        self._runtimes: dict[tuple[str, str], Runtime] = {}
        self._in_process = frozenset(
            name
            for name, definition in definitions.items()
            if not isinstance(definition.backing, (ExternalServer, Mapping))
        )

    def version(self, name: str) -> str | None:
        """Return the version endorsements name, or None if the channel has no such chaincode."""
        if name in SYSTEM_CHAINCODES:
            return SYSTEM_VERSION
        definition = self._definitions.get(name)
        return None if definition is None else definition.version

    def run_in_process(self, names: Iterable[str]) -> bool:
        """Say whether all of these are one object for all members, so that one simulation stands for each member's."""
        return self._in_process.issuperset(names)

    async def execute(self, invocation: Invocation) -> Completion:
        """Run a proposal's own call; raises InvocationError with the text Fabric's endorser gives."""
        try:
            return await self._invoke(invocation)
        except InvocationError as error:
            tx_id = invocation.transaction.tx_id
            raise InvocationError(f"failed to execute transaction {tx_id}: {error}") from None
        except ChaincodeFailureError as error:
            raise InvocationError(f"transaction returned with failure: {error}") from None

    async def call(self, invocation: Invocation, name: str, args: tuple[bytes, ...]) -> Completion:
        """Run a chaincode that another one calls; it reads and writes under its own namespace.

        Raises InvocationError or ChaincodeFailureError. Only the channel of the caller can be reached, and its writers
        policy was checked with the proposal.
        """
        name, _, channel = name.partition("/")
        name = name.partition(":")[0]
        transaction = invocation.transaction
        if channel not in ("", transaction.channel_id):
            raise InvocationError(f"Failed to get policy manager for channel [{channel}]")
        try:
            return await self._invoke(Invocation(transaction, name, args))
        except InvocationError as error:
            raise InvocationError(f"execute failed: {error}") from None

    async def close(self) -> None:
        """Close the connections to chaincode servers."""
        runtimes, self._runtimes = list(self._runtimes.values()), {}
        for runtime in runtimes:
            await runtime.close()

    async def _invoke(self, invocation: Invocation) -> Completion:
        name = invocation.chaincode
        invocation.transaction.chaincodes.add(name)
        if name in self._system:
            return Completion(self._system[name].invoke(invocation))
        definition = self._definitions.get(name)
        if definition is None:
            raise InvocationError(
                f"invalid invocation: [channel {invocation.transaction.channel_id}] "
                f"failed to get chaincode container info for {name}: chaincode {name} not found"
            )
        if definition.init_required or invocation.is_init:
            _check_initialised(invocation, definition)
        return await self._runtime(definition, invocation.transaction.msp_id).execute(invocation)

    def _runtime(self, definition: ChaincodeDefinition, msp_id: str) -> Runtime:
        """Return what runs a chaincode for a member: each has a connection of its own to a server, as peers do."""
        backing = definition.backing
        if isinstance(backing, Mapping):
            server = backing.get(msp_id)
            if server is None:
                raise InvocationError(
                    f"could not launch chaincode {definition.name}:{definition.version}: "
                    f"{msp_id} has no server for it"
                )
            backing = server
        if isinstance(backing, ExternalServer):
            key = (definition.name, msp_id)
            return self._runtimes.get(key) or self._keep(key, self._shim(definition, backing))
        key = (definition.name, "")
        return self._runtimes.get(key) or self._keep(
            key, InProcessRuntime(backing, self, timeout=self._timeout)
        )

    def _shim(self, definition: ChaincodeDefinition, server: ExternalServer) -> Runtime:
        package = f"{definition.name}:{definition.version}"
        return ShimRuntime(package, server, self, timeout=self._timeout)

    def _keep(self, key: tuple[str, str], runtime: Runtime) -> Runtime:
        self._runtimes[key] = runtime
        return runtime


def not_defined(name: str, channel_id: str) -> str:
    """Return Fabric's text for a chaincode that the channel does not have; "" is no channel at all."""
    reason = f"chaincode {name} not found" if channel_id else "could not get channel config for channel ''"
    return f"make sure the chaincode {name} has been successfully defined on channel {channel_id} and try again: {reason}"


def _check_initialised(invocation: Invocation, definition: ChaincodeDefinition) -> None:
    """Hold a call to 'init exactly once for each version'; raises InvocationError."""
    name, version = definition.name, definition.version.encode()
    problem = f"invalid invocation: chaincode '{name}' "
    if not definition.init_required:
        raise InvocationError(problem + "does not require initialization but called as init")
    simulator = invocation.transaction.simulator
    if simulator is None:
        raise InvocationError(problem + "cannot be called without a channel")
    initialised = simulator.get_state(name, _INITIALIZED) == version
    if invocation.is_init and initialised:
        raise InvocationError(problem + "is already initialized but called as init")
    if invocation.is_init:
        simulator.put_state(name, _INITIALIZED, version)
    elif not initialised:
        raise InvocationError(problem + "has not been initialized for this version, must call as init first")
