"""Transactions for a ledger that is filled: the contract's own, endorsed by three members and signed, made without a network.

Whoever makes one holds every member's keys, as the embedded consortium does. What only passes between client, peers and
orderers on the way is left out: the client's signature on the proposal, which no block has, and the checks that endorsers and
orderer make of each other's signatures. The transactions have all their signatures, and every witness verifies them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from fabric_protos.peer import chaincode_event_pb2, proposal_pb2, proposal_response_pb2

from shirushi_benchmarks.document_types import GROWTH_CERTIFICATE
from shirushi_chaincode.shell import AnchorsChaincode
from shirushi_client.profile import Profile, load_profile
from shirushi_client.session import ISSUER
from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.chaincode import OK
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.proposal import (
    Proposal,
    build_proposal,
    build_transaction,
    parse_signed_proposal,
    response_payload,
)
from shirushi_core.fabric.rwset import NamespaceRwSet, encode
from shirushi_core.proofs import merkle
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.canonical import encode as encode_json
from shirushi_core.proofs.seal import make_seal
from shirushi_network.embedded import CHAINCODE
from shirushi_network.layout import Layout
from shirushi_network.member_keys import load_signing_identity
from shirushi_network.topology_file import read_topology
from shirushi_node.ledger.simulator import Simulator
from shirushi_node.ledger.store import Snapshot, VersionedValue
from shirushi_node.ledger.stub import InProcessStub

CERTIFICATES = 100
"""What the statement of each batch says it holds."""

VERSION = "1.0"
NONCE_BYTES = 24

_UNUSED_SIGNATURE = b"-"


class GrowthError(ShirushiError):
    """A ledger that cannot be filled or measured."""


@dataclass(frozen=True, slots=True)
class FilledTransaction:
    """A transaction as a block holds it, and what the peers take down of it."""

    data: bytes
    tx_id: str
    seconds: int
    rw_sets: tuple[NamespaceRwSet, ...]


@dataclass(frozen=True, slots=True)
class KnownBatch:
    """A batch whose commitments are at hand, so that the status of one of them can be changed."""

    batch_id: bytes
    commitments: tuple[bytes, ...]


class KnownState(Snapshot):
    """A few committed values, for transactions that read nothing else: batches are new, and no anchor reads another."""

    def __init__(self, values: dict[tuple[str, str], VersionedValue]) -> None:
        self._values = values

    def get(self, namespace: str, key: str) -> VersionedValue | None:
        """Return a value, None for any other key: nothing is there yet."""
        return self._values.get((namespace, key))

    def range(self, namespace: str, start: str, end: str) -> Iterator[tuple[str, VersionedValue]]:
        """Return nothing: the one range that is read is that of ticks which would end the transaction."""
        return iter(())


class TransactionMaker:
    """Makes an issuer's transactions, with the keys of a data folder whose members are all here."""

    def __init__(self, layout: Layout) -> None:
        topology = read_topology(layout.topology)
        self._channel = topology.channel
        profile = load_profile(layout.root, ISSUER)
        self._issuer = profile.issuer_id()
        self._client = _client(profile)
        self._seal_key = profile.load_seal_key()
        self._endorsers: Sequence[SigningIdentity] = [
            load_signing_identity(layout.members / each.id / "peers" / "peer0" / "msp", each.msp_id)
            for each in topology.members[: topology.majority]
        ]
        self._chaincode = AnchorsChaincode(clock=time.time)

    async def issuance(self, state: Snapshot, root: bytes) -> FilledTransaction:
        """Anchor a batch of CERTIFICATES with some root."""
        statement = self.statement(root)
        seal = make_seal(statement, self._seal_key)
        return await self.transaction(
            state, "issue", {"seal": seal.to_json(), "statement": statement.to_json()}
        )

    async def revocation(self, state: Snapshot, batch: KnownBatch) -> FilledTransaction:
        """Revoke the first certificate of a batch."""
        path = merkle.inclusion_path(batch.commitments, 0)
        change: Json = {
            "batch_id": batch.batch_id.hex(),
            "commitment": batch.commitments[0].hex(),
            "effective_at": int(time.time()),
            "index": 0,
            "path": [node.hex() for node in path],
            "reason": "issued_in_error",
            "status": "revoked",
            "successor": None,
        }
        request: Json = {"change_id": batch.batch_id.hex()[:32], "changes": [change], "issuer": self._issuer}
        return await self.transaction(state, "set_status", request)

    def known_batch(self) -> tuple[KnownBatch, bytes]:
        """Return a batch of random commitments and its root."""
        commitments = tuple(os.urandom(merkle.HASH_SIZE) for _ in range(CERTIFICATES))
        root = merkle.root(commitments)
        return KnownBatch(self.statement(root).batch_id, commitments), root

    def statement(self, root: bytes) -> BatchStatement:
        """Return the statement of a batch that is valid from now on."""
        return BatchStatement(
            self._channel, self._issuer, GROWTH_CERTIFICATE, root, CERTIFICATES, int(time.time())
        )

    async def transaction(self, state: Snapshot, function: str, argument: Json) -> FilledTransaction:
        """Have the contract run, a majority endorse and the client sign; raises GrowthError if the contract refuses."""
        proposal = self._propose([function.encode(), encode_json(argument)])
        simulator = Simulator(state, proposal.tx_id)
        stub = InProcessStub(
            simulator,
            CHAINCODE,
            channel_id=proposal.channel_id,
            tx_id=proposal.tx_id,
            args=proposal.args,
            creator=proposal.creator,
            timestamp=(proposal.timestamp_seconds, proposal.timestamp_nanos),
            transient=proposal.transient,
            call_chaincode=_no_other_chaincode,
        )
        answer = await self._chaincode.invoke(stub)
        if answer.status != OK or stub.event is None:
            raise GrowthError(
                f"expected the contract to take {function}, it answered {answer.status}: {answer.message}; "
                "fill an empty data folder"
            )
        name, content = stub.event
        rw_sets = simulator.results()
        payload = response_payload(
            proposal,
            response=proposal_response_pb2.Response(status=answer.status, payload=answer.payload),
            results=encode(rw_sets),
            event=chaincode_event_pb2.ChaincodeEvent(
                chaincode_id=CHAINCODE, tx_id=proposal.tx_id, event_name=name, payload=content
            ).SerializeToString(),
            chaincode_version=VERSION,
        )
        envelope = build_transaction(proposal, payload, [_endorse(payload, each) for each in self._endorsers])
        envelope.signature = self._client.sign(envelope.payload)
        return FilledTransaction(
            envelope.SerializeToString(), proposal.tx_id, proposal.timestamp_seconds, rw_sets
        )

    def _propose(self, args: Sequence[bytes]) -> Proposal:
        now = time.time_ns()
        proposal = build_proposal(
            channel_id=self._channel,
            chaincode_name=CHAINCODE,
            args=args,
            creator=self._client.identity.serialized,
            nonce=os.urandom(NONCE_BYTES),
            seconds=now // 10**9,
            nanos=now % 10**9,
        )
        return parse_signed_proposal(
            proposal_pb2.SignedProposal(
                proposal_bytes=proposal.SerializeToString(), signature=_UNUSED_SIGNATURE
            )
        )


def _client(profile: Profile) -> SigningIdentity:
    return load_signing_identity(profile.certificate.parent.parent, profile.msp_id)


def _endorse(payload: bytes, endorser: SigningIdentity) -> proposal_response_pb2.Endorsement:
    serialized = endorser.identity.serialized
    return proposal_response_pb2.Endorsement(
        endorser=serialized, signature=endorser.sign(payload + serialized)
    )


async def _no_other_chaincode(name: str, _args: tuple[bytes, ...], _channel: str) -> NoReturn:
    raise GrowthError(f"expected the contract to call no other chaincode, it called {name}")
