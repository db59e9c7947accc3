"""Chaincode definitions: which chaincodes the channel has, who must endorse them, and what runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fabric_protos.peer import policy_pb2

from shirushi_core.fabric.chaincode import Chaincode
from shirushi_core.fabric.lifecycle import LIFECYCLE

LIFECYCLE_POLICY: bytes = policy_pb2.ApplicationPolicy(
    channel_config_policy_reference="/Channel/Application/LifecycleEndorsement"
).SerializeToString()
"""Who has to endorse what is written to the lifecycle's state."""


@dataclass(frozen=True, slots=True)
class ExternalServer:
    """A chaincode server to dial (chaincode as a service). TLS material is PEM; no root means no TLS."""

    address: str
    root_certificates: bytes | None = None
    client_key: bytes | None = None
    client_certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class ChaincodeDefinition:
    """A committed chaincode definition and what runs it.

    `endorsement_policy` is serialized peer.ApplicationPolicy bytes; None means the channel's default,
    /Channel/Application/Endorsement. `backing` is an object in this process, one for all members; one server for all;
    or one per MSP id.
    """

    name: str
    backing: Chaincode | ExternalServer | Mapping[str, ExternalServer]
    version: str = "1.0"
    sequence: int = 1
    endorsement_policy: bytes | None = None
    init_required: bool = False


def find_definition(name: str, definitions: Mapping[str, ChaincodeDefinition]) -> ChaincodeDefinition | None:
    """Return what a namespace's writes are judged by: a definition of the channel, or what Fabric has for the lifecycle."""
    return _LIFECYCLE_DEFINITION if name == LIFECYCLE else definitions.get(name)


_LIFECYCLE_DEFINITION = ChaincodeDefinition(LIFECYCLE, backing={}, endorsement_policy=LIFECYCLE_POLICY)
