"""Chaincode definitions as members agree on them, and the messages of the system chaincode _lifecycle.

Source: core/chaincode/lifecycle/scc.go, peer/lifecycle/lifecycle.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fabric_protos.peer import policy_pb2
from fabric_protos.peer.lifecycle import chaincode_definition_pb2, db_pb2, lifecycle_pb2
from google.protobuf.message import DecodeError, Message

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.policy_text import parse_policy_text

LIFECYCLE = "_lifecycle"
_STATE_FIELDS = ("Sequence", "EndorsementInfo", "ValidationInfo", "Collections")
DEFAULT_ENDORSEMENT = "/Channel/Application/Endorsement"
"""The channel policy a definition refers to where it has none of its own: a majority of the members."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What members approve: name, version, sequence, endorsement policy (serialized peer.ApplicationPolicy)."""

    name: str
    version: str
    sequence: int
    policy: bytes

    def same_content(self, other: Definition) -> bool:
        """Say whether two definitions differ in nothing but their sequence."""
        return (self.name, self.version, self.policy) == (other.name, other.version, other.policy)


@dataclass(frozen=True, slots=True)
class CommittedDefinition:
    """A definition as a peer answers for it: committed, or approved by its own organisation.

    `package_id` is None where the organisation runs no package of it; `approvals` are those of the committed one.
    """

    definition: Definition
    package_id: str | None
    approvals: Mapping[str, bool]


def definition(name: str, version: str, sequence: int, endorsement: str | None) -> Definition:
    """Return a definition; `endorsement` is a signature policy as text, None the channel's majority of members."""
    if endorsement is None:
        policy = policy_pb2.ApplicationPolicy(channel_config_policy_reference=DEFAULT_ENDORSEMENT)
    else:
        policy = policy_pb2.ApplicationPolicy()
        policy.signature_policy.ParseFromString(parse_policy_text(endorsement))
    return Definition(name, version, sequence, _bytes(policy))


def install_args(package: bytes) -> tuple[bytes, bytes]:
    """Return the arguments of InstallChaincode."""
    message = lifecycle_pb2.InstallChaincodeArgs(chaincode_install_package=package)
    return b"InstallChaincode", _bytes(message)


def installed_args() -> tuple[bytes, bytes]:
    """Return the arguments of QueryInstalledChaincodes."""
    return b"QueryInstalledChaincodes", b""


def approve_args(wanted: Definition, package_id: str | None) -> tuple[bytes, bytes]:
    """Return the arguments of ApproveChaincodeDefinitionForMyOrg; without a package the organisation runs none."""
    if package_id is None:
        source = lifecycle_pb2.ChaincodeSource(unavailable=lifecycle_pb2.ChaincodeSource.Unavailable())
    else:
        local = lifecycle_pb2.ChaincodeSource.Local(package_id=package_id)
        source = lifecycle_pb2.ChaincodeSource(local_package=local)
    message = lifecycle_pb2.ApproveChaincodeDefinitionForMyOrgArgs(**_fields(wanted), source=source)
    return b"ApproveChaincodeDefinitionForMyOrg", _bytes(message)


def commit_args(wanted: Definition) -> tuple[bytes, bytes]:
    """Return the arguments of CommitChaincodeDefinition."""
    message = lifecycle_pb2.CommitChaincodeDefinitionArgs(**_fields(wanted))
    return b"CommitChaincodeDefinition", _bytes(message)


def readiness_args(wanted: Definition) -> tuple[bytes, bytes]:
    """Return the arguments of CheckCommitReadiness."""
    message = lifecycle_pb2.CheckCommitReadinessArgs(**_fields(wanted))
    return b"CheckCommitReadiness", _bytes(message)


def approved_args(name: str, sequence: int) -> tuple[bytes, bytes]:
    """Return the arguments of QueryApprovedChaincodeDefinition."""
    message = lifecycle_pb2.QueryApprovedChaincodeDefinitionArgs(name=name, sequence=sequence)
    return b"QueryApprovedChaincodeDefinition", _bytes(message)


def committed_args(name: str) -> tuple[bytes, bytes]:
    """Return the arguments of QueryChaincodeDefinition."""
    message = lifecycle_pb2.QueryChaincodeDefinitionArgs(name=name)
    return b"QueryChaincodeDefinition", _bytes(message)


def state_keys(name: str) -> tuple[str, str, str, str, str]:
    """Return the keys under which a peer keeps a committed definition: metadata, Sequence, EndorsementInfo, ValidationInfo, Collections.

    Source: core/chaincode/lifecycle/{lifecycle,serializer}.go.
    """
    fields = [f"namespaces/fields/{name}/{field}" for field in _STATE_FIELDS]
    return (f"namespaces/metadata/{name}", *fields)  # type: ignore[return-value]


def state_values(wanted: Definition, *, init_required: bool = False) -> dict[str, bytes]:
    """Return what a peer keeps of a committed definition, by key, as CommitChaincodeDefinition writes it."""
    endorsement = chaincode_definition_pb2.ChaincodeEndorsementInfo(
        version=wanted.version, init_required=init_required, endorsement_plugin="escc"
    )
    validation = chaincode_definition_pb2.ChaincodeValidationInfo(
        validation_plugin="vscc", validation_parameter=wanted.policy
    )
    values: list[Message] = [
        db_pb2.StateMetadata(datatype="ChaincodeDefinition", fields=_STATE_FIELDS),
        db_pb2.StateData(Int64=wanted.sequence),
        db_pb2.StateData(Bytes=_bytes(endorsement)),
        db_pb2.StateData(Bytes=_bytes(validation)),
        db_pb2.StateData(Bytes=b""),
    ]
    return dict(zip(state_keys(wanted.name), map(_bytes, values), strict=True))


def read_sequence(value: bytes | None) -> int:
    """Return the sequence that a peer keeps of a definition, 0 if there is none; raises InvalidInputError."""
    return 0 if value is None else int(_parse(db_pb2.StateData, value).Int64)


def read_version(value: bytes | None) -> str | None:
    """Return the version in a definition's EndorsementInfo as a peer keeps it, None if there is none; raises InvalidInputError."""
    if value is None:
        return None
    info = _parse(chaincode_definition_pb2.ChaincodeEndorsementInfo, _parse(db_pb2.StateData, value).Bytes)
    return str(info.version)


def read_package_ids(payload: bytes) -> dict[str, str]:
    """Return package id → label out of QueryInstalledChaincodesResult; raises InvalidInputError."""
    result = _parse(lifecycle_pb2.QueryInstalledChaincodesResult, payload)
    return {each.package_id: each.label for each in result.installed_chaincodes}


def read_readiness(payload: bytes) -> dict[str, bool]:
    """Return MSP id → whether it approved, out of CheckCommitReadinessResult; raises InvalidInputError."""
    return dict(_parse(lifecycle_pb2.CheckCommitReadinessResult, payload).approvals)


def read_committed(name: str, payload: bytes) -> CommittedDefinition:
    """Read QueryChaincodeDefinitionResult; raises InvalidInputError."""
    result = _parse(lifecycle_pb2.QueryChaincodeDefinitionResult, payload)
    return CommittedDefinition(_definition(name, result), None, dict(result.approvals))


def read_approved(name: str, payload: bytes) -> CommittedDefinition:
    """Read QueryApprovedChaincodeDefinitionResult; raises InvalidInputError."""
    result = _parse(lifecycle_pb2.QueryApprovedChaincodeDefinitionResult, payload)
    package = result.source.local_package.package_id if result.source.HasField("local_package") else None
    return CommittedDefinition(_definition(name, result), package, {})


def _definition(name: str, result: Any) -> Definition:
    return Definition(name, result.version, result.sequence, result.validation_parameter)


def _fields(wanted: Definition) -> dict[str, Any]:
    return {
        "sequence": wanted.sequence,
        "name": wanted.name,
        "version": wanted.version,
        "endorsement_plugin": "escc",
        "validation_plugin": "vscc",
        "validation_parameter": wanted.policy,
    }


def _bytes(message: Message) -> bytes:
    return bytes(message.SerializeToString(deterministic=True))


def _parse(kind: type[Message], data: bytes) -> Any:
    """Parse a message (generated classes carry no types); raises InvalidInputError."""
    try:
        return kind.FromString(data)
    except DecodeError:
        raise InvalidInputError(f"not a {kind.DESCRIPTOR.name} message") from None
