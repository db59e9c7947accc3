"""Plans made into envelopes: endorsed with the members' own keys, on the state as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fabric_protos.common import common_pb2, policies_pb2
from fabric_protos.ledger.rwset import rwset_pb2
from fabric_protos.peer import chaincode_pb2, proposal_pb2, proposal_response_pb2, transaction_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from tests.fabric.damages import CREATORS, MALFORMED, ODD, REFUSED
from tests.fabric.random_plans import POLICIES, Plan, Range, Read, Touched
from tests.support.throwaway_ca import START, ThrowawayCa
from tests.support.transactions import endorse

from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.policy_text import parse_policy_text
from shirushi_core.fabric.proposal import committed_proposal_hash, transaction_id
from shirushi_core.fabric.rwset import NamespaceRwSet, RangeRead, Version, Write, encode
from shirushi_network.layout import Layout
from shirushi_network.member_keys import load_signing_identity
from shirushi_network.topology import Topology
from shirushi_node.ledger.simulator import VALIDATION_PARAMETER
from shirushi_node.ledger.store import Snapshot

SECONDS = 1_790_000_000
CURVE_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

_DAMAGES = {**MALFORMED, **ODD, **REFUSED}


class Signer(Protocol):
    """Who signs: an identity, and a way to sign that need not be its own."""

    @property
    def identity(self) -> Any: ...
    def sign(self, message: bytes) -> bytes: ...


@dataclass(frozen=True)
class HighS:
    """Signs as Fabric forbids: with the larger of the two values that a signature may hold."""

    signer: SigningIdentity

    @property
    def identity(self) -> Any:
        return self.signer.identity

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(self.signer.sign(message))
        return encode_dss_signature(r, max(s, CURVE_ORDER - s))


def cast_of(layout: Layout, topology: Topology) -> dict[str, Signer]:
    """Return everybody who signs in plans, by name: peer1, client2, admin3, expired-peer4, forged-peer2, ..."""
    cast: dict[str, Signer] = {}
    for number, member in enumerate(topology.members, start=1):
        home = layout.members / member.id
        for name, place in (
            ("peer", "peers/peer0"),
            ("orderer", "orderers/orderer0"),
            ("client", "users/client"),
            ("admin", "users/admin"),
        ):
            cast[f"{name}{number}"] = load_signing_identity(home / place / "msp", member.msp_id)
        ca = _authority(home, member.msp_id)
        begin = ca.certificate.not_valid_before_utc
        for role in ("peer", "client"):
            cast[f"expired-{role}{number}"] = ca.issue(
                role, name="expired", not_before=begin, not_after=begin + timedelta(seconds=10)
            )
    first = topology.members[0].msp_id
    foreign = ThrowawayCa.root("foreign", first)
    cast["foreign-peer1"], cast["foreign-client1"] = foreign.issue("peer"), foreign.issue("client")
    cast["expired-foreign-client1"] = foreign.issue("client", not_after=START + timedelta(days=1))
    cast["nobody"] = ThrowawayCa.root("nobody", "NobodyMSP").issue("peer")
    second = cast["peer2"]
    cast["forged-peer2"] = SigningIdentity(second.identity, ec.generate_private_key(ec.SECP256R1()))
    third = cast["peer3"]
    assert isinstance(third, SigningIdentity)
    cast["high-s-peer3"] = HighS(third)
    return cast


class Forge:
    """Makes envelopes out of plans; the same plan gets the same nonce wherever it stands."""

    def __init__(self, channel: str, cast: Mapping[str, Signer], seed: int) -> None:
        self._channel = channel
        self._cast = cast
        self._seed = seed

    def envelope(self, plan: Plan, number: int, state: Snapshot) -> bytes:
        """Return the envelope of the plan with this number, on a state."""
        creator = self._cast[CREATORS.get(plan.damage, plan.creator)]
        where, damage = _DAMAGES.get(plan.damage, ("", None))

        def made(name: str, message: Any) -> Any:
            if name == where and damage is not None:
                damage(message)
            return message

        signature_header = made(
            "signature header",
            common_pb2.SignatureHeader(creator=creator.identity.serialized, nonce=self._nonce(number)),
        )
        extension = proposal_pb2.ChaincodeHeaderExtension(
            chaincode_id=chaincode_pb2.ChaincodeID(name=plan.chaincode)
        )
        channel_header = made(
            "channel header",
            common_pb2.ChannelHeader(
                type=common_pb2.ENDORSER_TRANSACTION,
                channel_id=self._channel,
                tx_id=transaction_id(signature_header.nonce, signature_header.creator),
                timestamp=Timestamp(seconds=SECONDS + number, nanos=number),
                extension=extension.SerializeToString(),
            ),
        )
        header = common_pb2.Header(
            channel_header=channel_header.SerializeToString(),
            signature_header=signature_header.SerializeToString(),
        )
        results = made("results", rwset_pb2.TxReadWriteSet.FromString(_results(plan, state)))
        transaction = made("transaction", self._transaction(plan, header, results, made))
        payload = made("payload", common_pb2.Payload(header=header, data=transaction.SerializeToString()))
        envelope = made("envelope", common_pb2.Envelope(payload=payload.SerializeToString()))
        envelope.signature = creator.sign(envelope.payload)
        return bytes(made("signed envelope", envelope).SerializeToString())

    def _transaction(self, plan: Plan, header: Any, results: Any, made: Any) -> Any:
        proposal = b"\x0a\x00"  # a ChaincodeProposalPayload whose input is empty: no peer looks into it
        action = made(
            "chaincode action",
            proposal_pb2.ChaincodeAction(
                results=results.SerializeToString(),
                response=proposal_response_pb2.Response(status=200, payload=b"done"),
                chaincode_id=chaincode_pb2.ChaincodeID(name=plan.chaincode, version=plan.version),
            ),
        )
        response = made(
            "response payload",
            proposal_response_pb2.ProposalResponsePayload(
                proposal_hash=committed_proposal_hash(
                    header.channel_header, header.signature_header, proposal
                ),
                extension=action.SerializeToString(),
            ),
        ).SerializeToString()
        payload = made(
            "action payload",
            transaction_pb2.ChaincodeActionPayload(
                chaincode_proposal_payload=proposal,
                action=transaction_pb2.ChaincodeEndorsedAction(
                    proposal_response_payload=response,
                    endorsements=[endorse(response, self._cast[name]) for name in plan.endorsers],  # type: ignore[arg-type]
                ),
            ),
        )
        return transaction_pb2.Transaction(
            actions=[
                transaction_pb2.TransactionAction(
                    header=header.signature_header, payload=payload.SerializeToString()
                )
            ]
        )

    def _nonce(self, number: int) -> bytes:
        return hashlib.sha256(f"{self._seed}/{number}".encode()).digest()[:24]


def policy_bytes(name: str) -> bytes:
    """Return a key's policy as its metadata hold it."""
    if name in POLICIES:
        return parse_policy_text(POLICIES[name])
    if name == "nobody in it":
        rule = policies_pb2.SignaturePolicy(signed_by=3)
        return bytes(policies_pb2.SignaturePolicyEnvelope(rule=rule).SerializeToString())
    return b""


def _authority(home: Path, msp_id: str) -> ThrowawayCa:
    certificate = x509.load_pem_x509_certificate((home / "ca" / "cert.pem").read_bytes())
    key = load_pem_private_key((home / "ca" / "key.pem").read_bytes(), None)
    return ThrowawayCa("member", certificate, key, None, msp_id)


def _results(plan: Plan, state: Snapshot) -> bytes:
    return encode([_namespace(each, state) for each in plan.touched])


def _namespace(touched: Touched, state: Snapshot) -> NamespaceRwSet:
    name = touched.namespace
    return NamespaceRwSet(
        namespace=name,
        reads={read.key: _version(name, read, state) for read in touched.reads},
        range_reads=[_range(name, asked, state) for asked in touched.ranges],
        writes=[Write(key, value) for key, value in dict(touched.writes).items()],
        metadata_writes={key: _metadata(policy) for key, policy in touched.policies},
    )


def _metadata(policy: str | None) -> dict[str, bytes] | None:
    if policy is None:
        return None
    if policy == "another entry":
        return {"SOMETHING": b"else"}
    return {VALIDATION_PARAMETER: policy_bytes(policy)}


def _version(namespace: str, read: Read, state: Snapshot) -> Version | None:
    committed = state.get(namespace, read.key)
    if read.found == "absent" or (committed is None and read.found != "invented"):
        return None
    if committed is None:
        return Version(1, 0)
    if read.found == "as it is":
        return committed.version
    return _older(committed.version) if read.found == "older" else Version(2**63, 2**40)


def _older(version: Version) -> Version:
    return Version(version.block - 1, version.tx)


def _range(namespace: str, asked: Range, state: Snapshot) -> RangeRead:
    """Return what a peer's simulator records: a query not run to its end, ends with the last key that was seen."""
    found: list[tuple[str, Version | None]] = [
        (key, value.version) for key, value in state.range(namespace, asked.start, asked.end)
    ]
    exhausted = asked.limit is None or len(found) < asked.limit
    end = asked.end
    if not exhausted:
        found = found[: asked.limit]
        end = found[-1][0]
    return RangeRead(asked.start, end, exhausted, tuple(_changed(found, asked.found)))


def _changed(found: Sequence[tuple[str, Any]], how: str) -> list[tuple[str, Any]]:
    middle = len(found) // 2
    if how == "one missing":
        return [*found[:middle], *found[middle + 1 :]]
    if how == "one more":
        return [*found[:middle], ("k1", Version(1, 0)), *found[middle:]]
    if how == "older" and found:
        key, version = found[middle]
        return [*found[:middle], (key, _older(version)), *found[middle + 1 :]]
    return list(found)
