"""Registering the city as an issuer: one member's admin proposes, the admins of a majority approve.

On one machine every admin's key is at hand, so this does in one go what the members do by themselves on a real network
with `shirushi issuer propose` and `shirushi issuer approve`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fabric_protos.peer import transaction_pb2

from shirushi_client.gateway import (
    CallOptions,
    CommitError,
    Contract,
    GatewayError,
)
from shirushi_core.fabric.signing import load_certificate
from shirushi_core.proofs.canonical import Json, decode, encode
from shirushi_core.proofs.issuer import IssuerKey, IssuerRecord, IssuerState, KeyUse
from shirushi_network.errors import ConsortiumError
from shirushi_network.layout import Layout
from shirushi_network.member_access import admin_contract, members_here
from shirushi_network.member_keys import ANCHORS
from shirushi_network.topology import Member, Topology

_OPTIONS = CallOptions(timeout=20.0)

REGISTRATION_SECONDS = 60.0
RETRY_SECONDS = 0.5


class RegistrationError(ConsortiumError):
    """The issuer could not be registered."""


def city_record(
    layout: Layout, member: Member, issuer_id: str, document_types: tuple[str, ...]
) -> IssuerRecord:
    """Return the first version of the city's issuer record, out of its issuer and seal certificates."""
    home = layout.members / member.id / "users" / "issuer"
    submit = _key(KeyUse.SUBMIT, load_certificate((home / "msp" / "signcerts" / "cert.pem").read_bytes()))
    seal = _key(KeyUse.SEAL, load_certificate((home / "seal" / "cert.pem").read_bytes()))
    return IssuerRecord(
        id=issuer_id,
        msp_id=member.msp_id,
        name_ja=member.name_ja,
        name_en=member.name_en,
        sequence=1,
        state=IssuerState.ACTIVE,
        keys=tuple(sorted((submit, seal), key=lambda key: (key.use, key.key_id))),
        document_types=document_types,
    )


async def register_city(layout: Layout, topology: Topology) -> None:
    """Register the issuer that the topology names, unless it is registered already.

    Waits while peers that have just started find each other, or have yet to commit what others did. Raises
    RegistrationError if the members' admins could not bring it about.
    """
    city = topology.member(topology.issuer.member)
    record = city_record(layout, city, topology.issuer.id, topology.issuer.document_types)
    others = [member for member in members_here(layout, topology.members) if member != city]
    last: GatewayError | CommitError | None = None
    try:
        async with asyncio.timeout(REGISTRATION_SECONDS):
            while True:
                try:
                    await _register(layout, topology, record, [city, *others])
                    return
                except GatewayError as error:
                    last = error
                except CommitError as error:
                    # A peer that lagged behind endorsed it over a state that has changed since.
                    if error.code != int(transaction_pb2.MVCC_READ_CONFLICT):
                        raise
                    last = error
                await asyncio.sleep(RETRY_SECONDS)
    except (CommitError, TimeoutError) as error:
        reason = last or error
        raise RegistrationError(f"{city.name_en} could not be registered as an issuer: {reason}") from error


async def _register(
    layout: Layout, topology: Topology, record: IssuerRecord, members: Sequence[Member]
) -> None:
    """Propose a record as the first member's admin, and approve it as the others' until a majority has."""
    city, *others = members
    async with admin_contract(layout, topology, city, ANCHORS) as contract:
        if await _is_registered(contract, record.id):
            return
        proposal = await _submit(contract, "propose_issuer", {"record": record.to_json()})
    for member in others[: topology.majority - 1]:
        async with admin_contract(layout, topology, member, ANCHORS) as contract:
            await _submit(contract, "approve_issuer", {"proposal_id": proposal["proposal_id"]})


def _key(use: KeyUse, certificate: x509.Certificate) -> IssuerKey:
    return IssuerKey(
        use=use,
        public_key=certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        not_before=_seconds(certificate.not_valid_before_utc),
        not_after=_seconds(certificate.not_valid_after_utc),
    )


def _seconds(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp())


async def _is_registered(contract: Contract, issuer_id: str) -> bool:
    try:
        await contract.evaluate("get_issuer", arguments=[encode({"issuer": issuer_id})], options=_OPTIONS)
    except GatewayError as error:
        if "ISSUER_NOT_FOUND" in str(error):
            return False
        raise
    return True


async def _submit(contract: Contract, function: str, argument: Json) -> Mapping[str, Json]:
    result = await contract.submit(function, arguments=[encode(argument)], options=_OPTIONS)
    return cast("Mapping[str, Json]", decode(result))
