"""Chaincode definitions: which chaincodes the channel has, who must endorse them, and what runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shirushi_core.fabric.chaincode import Chaincode


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
