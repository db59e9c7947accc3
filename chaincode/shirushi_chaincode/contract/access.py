"""Who is asking, and may they: issuers by their submit keys, members by their admins."""

from __future__ import annotations

from dataclasses import dataclass

from fabric_protos.peer.lifecycle import lifecycle_pb2
from google.protobuf.message import DecodeError

from shirushi_chaincode.contract.errors import Code, ContractError
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.chaincode import ERROR_THRESHOLD, Stub
from shirushi_core.fabric.identity import Identity
from shirushi_core.proofs.issuer import IssuerRecord, KeyUse

CHAINCODE_NAME = "anchors"
ADMIN_UNIT = "admin"  # the NodeOU that the members' MSPs give the admin role to


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who signed the proposal: its MSP has accepted the certificate before the contract runs."""

    msp_id: str
    key_id: bytes  # SHA-256 of the certificate's SubjectPublicKeyInfo
    organizational_units: frozenset[str]


def submitter(stub: Stub) -> Submitter:
    """Read the proposal's creator; raises ContractError INVALID_CREATOR."""
    try:
        identity = Identity.from_serialized(stub.creator)
        certificate = identity.certificate
    except InvalidInputError:
        raise ContractError(
            Code.INVALID_CREATOR, "expected the proposal's creator to be an X.509 identity"
        ) from None
    return Submitter(identity.msp_id, certificate.key_id, frozenset(certificate.organizational_units))


def require_submit_key(stub: Stub, record: IssuerRecord) -> Submitter:
    """Return the submitter if its key is one of the issuer's submit keys, of whatever window; or raise NOT_ISSUER."""
    who = submitter(stub)
    known = any(key.use is KeyUse.SUBMIT and key.key_id == who.key_id for key in record.keys)
    if who.msp_id != record.msp_id or not known:
        raise ContractError(
            Code.NOT_ISSUER,
            f"key {who.key_id.hex()} of {who.msp_id} is no submit key of issuer {record.id}, which is of "
            f"{record.msp_id}; sign with a registered key, or have this one registered",
        )
    return who


def require_submit_key_now(record: IssuerRecord, who: Submitter, at: int) -> None:
    """Raise KEY_NOT_IN_WINDOW unless the submitter's key is in its window at the transaction's time."""
    if record.key_at(KeyUse.SUBMIT, who.key_id, at) is None:
        raise ContractError(
            Code.KEY_NOT_IN_WINDOW,
            f"submit key {who.key_id.hex()} of issuer {record.id} is not in its window at {at}; sign with one that is",
        )


async def members(stub: Stub) -> tuple[str, ...]:
    """Return the MSP ids of the channel's members (its application organisations), sorted.

    They are the organisations whose approvals `_lifecycle` reports for this chaincode's own definition: the one place
    a chaincode can read them from, for Fabric's `cscc` and `qscc` refuse calls from chaincodes (core/scc/cscc/configure.go,
    core/chaincode/lifecycle/scc.go). Raises ContractError MEMBERS_UNKNOWN.
    """
    query = lifecycle_pb2.QueryChaincodeDefinitionArgs(name=CHAINCODE_NAME).SerializeToString()
    response = await stub.invoke_chaincode("_lifecycle", [b"QueryChaincodeDefinition", query])
    problem = f"status {response.status}"
    if response.status < ERROR_THRESHOLD:
        try:
            definition = lifecycle_pb2.QueryChaincodeDefinitionResult.FromString(response.payload)
        except DecodeError:
            problem = "no definition"
        else:
            if definition.approvals:
                return tuple(sorted(definition.approvals))
            problem = "a definition that lists no organisation"
    raise ContractError(
        Code.MEMBERS_UNKNOWN,
        f"expected the definition of chaincode {CHAINCODE_NAME} from _lifecycle, to learn the channel's members; "
        f"found {problem}",
    )


def require_admin(stub: Stub, channel_members: tuple[str, ...]) -> str:
    """Return the MSP id of the submitter if it is an admin of a member; raises ContractError NOT_MEMBER_ADMIN."""
    who = submitter(stub)
    if who.msp_id not in channel_members or ADMIN_UNIT not in who.organizational_units:
        raise ContractError(
            Code.NOT_MEMBER_ADMIN,
            f"the registry of issuers is changed by admins of members ({', '.join(channel_members)}) only; "
            f"this certificate of {who.msp_id} is none",
        )
    return who.msp_id
