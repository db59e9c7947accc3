"""_lifecycle: queries on chaincode definitions, and noting them on the chain.

The embedded ledger takes its definitions from its configuration, agreed for all members; nothing is installed or approved through it.
Its queries answer as those of a Fabric peer on which every organisation approved. CommitChaincodeDefinition takes what the
configuration says, and no other definition, and writes what Fabric writes: so whoever reads blocks sees which one holds from when.
Source: core/chaincode/lifecycle/{scc,lifecycle}.go, core/dispatcher/dispatcher.go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from fabric_protos.peer import policy_pb2
from fabric_protos.peer.lifecycle import lifecycle_pb2
from google.protobuf.message import DecodeError, Message

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.chaincode import Response
from shirushi_core.fabric.lifecycle import Definition, read_sequence, state_keys, state_values
from shirushi_core.fabric.msp import Role
from shirushi_core.fabric.proposal import INVALID_MESSAGE
from shirushi_node.ledger.access import WRITERS, AccessDeniedError, check_identity, check_local
from shirushi_node.ledger.clock import Clock
from shirushi_node.ledger.definitions import ChaincodeDefinition
from shirushi_node.ledger.invocation import Invocation
from shirushi_node.ledger.ledger import Channel
from shirushi_node.ledger.system import failure, success

_DEFAULT_POLICY = policy_pb2.ApplicationPolicy(
    channel_config_policy_reference="/Channel/Application/Endorsement"
).SerializeToString()

ALREADY_COMMITTED = "the chain has a definition of sequence"

_FOR_ADMINS = frozenset(
    {
        "InstallChaincode",
        "QueryInstalledChaincode",
        "GetInstalledChaincodePackage",
        "QueryInstalledChaincodes",
        "ApproveChaincodeDefinitionForMyOrg",
        "QueryApprovedChaincodeDefinition",
        "QueryApprovedChaincodeDefinitions",
    }
)
_FOR_WRITERS = frozenset(
    {
        "CommitChaincodeDefinition",
        "QueryChaincodeDefinition",
        "QueryChaincodeDefinitions",
        "CheckCommitReadiness",
    }
)


class _LifecycleError(ShirushiError):
    """A query without an answer; `status` is that of the response."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class LifecycleChaincode:
    """The system chaincode _lifecycle."""

    name = "_lifecycle"

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock
        self._queries: dict[str, tuple[type[Message], Callable[[Any], Any]]] = {
            "QueryChaincodeDefinition": (
                lifecycle_pb2.QueryChaincodeDefinitionArgs,
                self._definition,
            ),
            "QueryChaincodeDefinitions": (
                lifecycle_pb2.QueryChaincodeDefinitionsArgs,
                self._definitions,
            ),
            "QueryInstalledChaincodes": (
                lifecycle_pb2.QueryInstalledChaincodesArgs,
                self._installed,
            ),
            "QueryApprovedChaincodeDefinition": (
                lifecycle_pb2.QueryApprovedChaincodeDefinitionArgs,
                self._approved,
            ),
            "CheckCommitReadiness": (
                lifecycle_pb2.CheckCommitReadinessArgs,
                self._readiness,
            ),
        }

    def invoke(self, invocation: Invocation) -> Response:
        args = invocation.args
        if not args:
            return failure("lifecycle scc must be invoked with arguments")
        if len(args) != 2:
            return failure(f"lifecycle scc operations require exactly two arguments but received {len(args)}")
        function = args[0].decode("utf-8", "replace")
        try:
            self._check_access(invocation, function)
        except AccessDeniedError as error:
            return failure(f"Failed to authorize invocation due to failed ACL check: {error}")
        try:
            return success(self._answer(invocation, function, args[1]))
        except _LifecycleError as error:
            if error.status == 404:
                return Response(404, str(error))
            return failure(f"failed to invoke backing implementation of '{function}': {error}")

    def _check_access(self, invocation: Invocation, function: str) -> None:
        transaction = invocation.transaction
        config = self._channel.config
        if function in _FOR_ADMINS:
            creator = transaction.checked.proposal.creator
            check_local(config, transaction.msp_id, Role.ADMIN, creator, self._clock())
        elif function in _FOR_WRITERS:
            check_identity(config, transaction.channel_id, WRITERS, transaction.checked.creator)
        else:
            raise AccessDeniedError(f"Unmapped policy for _lifecycle/{function}")

    def _commit(self, invocation: Invocation, argument: bytes) -> bytes:
        """Write a definition to the chain's state, if it is the configuration's and newer than the one there."""
        try:
            asked = lifecycle_pb2.CommitChaincodeDefinitionArgs.FromString(argument)
        except DecodeError:
            raise _LifecycleError(
                f"could not decode input arg for *lifecycle.Invocation.CommitChaincodeDefinition: {INVALID_MESSAGE}",
                500,
            ) from None
        configured = self._find(asked.name)
        if _asked_parameters(asked) != _parameters(configured) or asked.collections.config:
            raise _LifecycleError(
                "the embedded ledger takes its chaincode definitions from its configuration, which has another one "
                f"of {asked.name}: version {configured.version}, sequence {configured.sequence}",
                500,
            )
        simulator = invocation.transaction.simulator
        if simulator is None:
            raise _LifecycleError("a definition is committed on a channel", 500)
        _, sequence_key, *_ = state_keys(asked.name)
        present = read_sequence(simulator.get_state(self.name, sequence_key))
        if asked.sequence <= present:
            raise _LifecycleError(
                f"{ALREADY_COMMITTED} {present} of {asked.name}: new content takes a later one", 500
            )
        wanted = Definition(
            asked.name,
            configured.version,
            configured.sequence,
            _parameters(configured)["validation_parameter"],
        )
        for key, value in state_values(wanted, init_required=configured.init_required).items():
            if simulator.get_state(self.name, key) != value:
                simulator.put_state(self.name, key, value)
        return bytes(lifecycle_pb2.CommitChaincodeDefinitionResult().SerializeToString())

    def _answer(self, invocation: Invocation, function: str, argument: bytes) -> bytes:
        if function == "CommitChaincodeDefinition":
            return self._commit(invocation, argument)
        if function not in self._queries:
            raise _LifecycleError(
                "the embedded ledger takes its chaincode definitions from its configuration", 500
            )
        kind, answer = self._queries[function]
        try:
            message = kind.FromString(argument)
        except DecodeError:
            raise _LifecycleError(
                f"could not decode input arg for *lifecycle.Invocation.{function}: {INVALID_MESSAGE}", 500
            ) from None
        return bytes(answer(message).SerializeToString(deterministic=True))

    def _find(self, name: str) -> ChaincodeDefinition:
        definition = self._channel.definitions.get(name)
        if definition is None:
            raise _LifecycleError(f"namespace {name} is not defined", 404)
        return definition

    def _definition(self, query: lifecycle_pb2.QueryChaincodeDefinitionArgs) -> Any:
        approvals = dict.fromkeys(self._channel.config.application_orgs, True)
        return lifecycle_pb2.QueryChaincodeDefinitionResult(
            **_parameters(self._find(query.name)), approvals=approvals
        )

    def _definitions(self, _: lifecycle_pb2.QueryChaincodeDefinitionsArgs) -> Any:
        kind = lifecycle_pb2.QueryChaincodeDefinitionsResult
        return kind(
            chaincode_definitions=[
                kind.ChaincodeDefinition(name=name, **_parameters(definition))
                for name, definition in sorted(self._channel.definitions.items())
            ]
        )

    def _installed(self, _: lifecycle_pb2.QueryInstalledChaincodesArgs) -> Any:
        kind = lifecycle_pb2.QueryInstalledChaincodesResult
        return kind(
            installed_chaincodes=[
                kind.InstalledChaincode(
                    package_id=_package_id(definition),
                    label=_label(definition),
                    references={
                        self._channel.name: kind.References(
                            chaincodes=[kind.Chaincode(name=name, version=definition.version)]
                        )
                    },
                )
                for name, definition in sorted(self._channel.definitions.items())
            ]
        )

    def _approved(self, query: lifecycle_pb2.QueryApprovedChaincodeDefinitionArgs) -> Any:
        definition = self._channel.definitions.get(query.name)
        if definition is None or query.sequence not in (0, definition.sequence):
            raise _LifecycleError(
                f"could not fetch approved chaincode definition (name: '{query.name}', "
                f"sequence: '{query.sequence}') on channel '{self._channel.name}'",
                500,
            )
        source = lifecycle_pb2.ChaincodeSource(
            local_package=lifecycle_pb2.ChaincodeSource.Local(package_id=_package_id(definition))
        )
        return lifecycle_pb2.QueryApprovedChaincodeDefinitionResult(**_parameters(definition), source=source)

    def _readiness(self, query: lifecycle_pb2.CheckCommitReadinessArgs) -> Any:
        known = self._channel.definitions.get(query.name)
        following = 1 if known is None else known.sequence + 1
        if query.sequence != following:
            raise _LifecycleError(
                f"requested sequence is {query.sequence}, but new definition must be sequence {following}",
                500,
            )
        approvals = dict.fromkeys(self._channel.config.application_orgs, False)
        return lifecycle_pb2.CheckCommitReadinessResult(approvals=approvals)


def _parameters(definition: ChaincodeDefinition) -> dict[str, Any]:
    return {
        "sequence": definition.sequence,
        "version": definition.version,
        "endorsement_plugin": "escc",
        "validation_plugin": "vscc",
        "validation_parameter": definition.endorsement_policy or _DEFAULT_POLICY,
        "init_required": definition.init_required,
    }


def _asked_parameters(asked: Any) -> dict[str, Any]:
    """Return what is asked for, with Fabric's defaults for what is left out."""
    return {
        "sequence": asked.sequence,
        "version": asked.version,
        "endorsement_plugin": asked.endorsement_plugin or "escc",
        "validation_plugin": asked.validation_plugin or "vscc",
        "validation_parameter": asked.validation_parameter or _DEFAULT_POLICY,
        "init_required": asked.init_required,
    }


def _label(definition: ChaincodeDefinition) -> str:
    return f"{definition.name}_{definition.version}"


def _package_id(definition: ChaincodeDefinition) -> str:
    label = _label(definition)
    return f"{label}:{hashlib.sha256(label.encode()).hexdigest()}"
