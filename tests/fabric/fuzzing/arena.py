"""Where cases are judged: five members' real nodes, and the embedded ledger and the witnesses' derivation beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fabric_protos.common import common_pb2
from fabric_protos.peer import transaction_pb2
from tests.fabric.forging import Forge, Signer, cast_of
from tests.fabric.fuzzing.drafts import Issuer
from tests.fabric.fuzzing.envelopes import ANCHORS, Content, envelope
from tests.fabric.fuzzing.keys import Key
from tests.fabric.random_plans import OPEN, Plan, Touched
from tests.fabric.twins import ACCEPTED, Answer, Twins
from tests.support.derived_chain import log_of

from shirushi_core.fabric.committed import (
    ACTION_PAYLOAD,
    CHAINCODE_ACTION,
    CHANNEL_HEADER,
    ENVELOPE,
    KV_RW_SET,
    PAYLOAD,
    RESPONSE_PAYLOAD,
    TRANSACTION,
    TX_READ_WRITE_SET,
)
from shirushi_core.fabric.proposal import INVALID_MESSAGE
from shirushi_core.fabric.wire import WireError, read
from shirushi_network.topology import Member
from shirushi_node.ledger.ordering import ALREADY_PROCESSED


class FuzzedTwins(Twins):
    """Twins that have a chaincode of the contract's name besides, so that witnesses derive what is written there."""

    deployed = (*Twins.deployed, (ANCHORS, "2.0", None))


@dataclass
class Tally:
    """What came of a run: how often both said what, and where they did not say the same."""

    cases: int = 0
    said: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    """Why orderers refused config updates."""

    withheld: int = 0
    """Transactions that would have ended Fabric's peers or kept its orderers from ordering, and updates nobody could take back."""

    lost: list[str] = field(default_factory=list)
    """Transactions that an orderer took, and that are in no block."""

    def to_json(self) -> dict[str, Any]:
        """Return it for a report."""
        return {**vars(self), "said": dict(self.said)}

    def count(self, name: str, theirs: str, ours: str) -> None:
        self.cases += 1
        self.said[theirs] += 1
        if theirs != ours:
            self.differences.append(f"{name}: Fabric says {theirs}, the embedded ledger {ours}")


class Arena:
    """The networks, and who signs there."""

    def __init__(self, twins: Twins, odd: int = 1) -> None:
        """`odd` is the position of the member whose certificates are odd."""
        self.twins = twins
        self.channel = twins.topology.channel
        self.cast: dict[str, Signer] = dict(cast_of(twins.layout, twins.topology))
        self.position = odd
        self.member = twins.topology.members[odd]
        self.issuer = issuer_of_member(twins, self.member)
        self.made = 0
        """Transactions so far: each has a number of its own."""
        self._names: dict[bytes, str] = {}

    def judge(self, plans: Sequence[tuple[str, Plan]], cast: Mapping[str, Signer], tally: Tally) -> None:
        """Hand transactions in at both, and count what both say."""
        forge = Forge(self.twins.topology.channel, {**self.cast, **cast}, seed=20)
        with self.twins.store.snapshot() as state:
            envelopes = [
                (name, forge.envelope(plan, self.made + number, state))
                for number, (name, plan) in enumerate(plans)
            ]
        self.made += len(plans)
        self.judge_envelopes(envelopes, tally)

    def judge_envelopes(self, envelopes: Sequence[tuple[str, bytes]], tally: Tally) -> None:
        """Hand envelopes in at both, and count what both say.

        Those that peers cannot take apart have blocks of their own: Fabric's peers stand still for good, or end, at a block in which
        one of them stands before a transaction that they can take apart (statebased/validator_keylevel.go).
        """
        parts: dict[bool, list[tuple[str, bytes]]] = {True: [], False: []}
        for name, data in envelopes:
            if ends_peers(data) or stops_orderers(data) or confuses_state(data):
                tally.withheld += 1
            else:
                parts[can_be_taken_apart(data)].append((name, data))
        for part in filter(None, parts.values()):
            self._judge(part, tally)

    def _judge(self, envelopes: Sequence[tuple[str, bytes]], tally: Tally) -> None:
        last = self._last(whole=can_be_taken_apart(envelopes[0][1]))
        sent = [*envelopes, ("the last one", last)]
        answers = self.twins.run(self.twins.hand_in([data for _, data in sent]))
        accepted: dict[bytes, list[str]] = {}
        self._names.update({_payload(data): name for name, data in sent if _is_message(data)})
        for (name, data), theirs in zip(sent, answers, strict=True):
            ours = self.twins.answer_of_ours(data)
            if theirs == ACCEPTED:
                accepted.setdefault(_payload(data), []).append(name)
            if theirs != ours or theirs != ACCEPTED:
                tally.count(name, *_comparable(theirs, ours))
        for block in self.twins.run(self.twins.follow_until(lambda data: _payload(data) == _payload(last))):
            valid = []
            for data, theirs_code, ours_code in zip(
                block.block.data.data, block.theirs, block.ours, strict=True
            ):
                payload = _payload(data)
                waiting = accepted.get(payload)
                name = waiting.pop(0) if waiting else f"{self._names[payload]}, which came late"
                tally.count(name, _code(theirs_code), _code(ours_code))
                valid += [name] if theirs_code == transaction_pb2.VALID else []
            if block.theirs == block.ours and block.their_hash != block.our_hash:
                tally.differences.append(f"another commit hash after: {', '.join(valid)}")
            self.twins.take_over_hash(block)
        tally.lost += [name for names in accepted.values() for name in names]

    def _last(self, *, whole: bool) -> bytes:
        """Return a transaction by which to see that all before it are in blocks; one like them (judge_envelopes)."""
        self.made += 1
        content = Content((("last", b"%d" % self.made),))
        endorsers = [self.cast[name] for name in ("peer1", "peer2", "peer3")]

        def garbled(level: str, data: bytes) -> bytes:
            return b"\xff\xff" if level == "transaction" and not whole else data

        return envelope(content, self.made, self.cast["client1"], endorsers, self.channel, garbled)

    def derive(self, folder: Path, tally: Tally) -> int:
        """Derive the log from two members' blocks; returns how many entries it has, and counts what is not the same."""
        logs = [
            log_of(self.twins.blocks_of(member), folder / member.id)
            for member in self.twins.topology.members[:2]
        ]
        if logs[0] != logs[1]:
            tally.differences.append("two witnesses derive different logs")
        return len(logs[0].entries)


def can_be_taken_apart(envelope: bytes) -> bool:
    """Say whether peers find the read-write set of a transaction."""
    try:
        payload = read(PAYLOAD, read(ENVELOPE, envelope).get(1, b""))
        actions = read(TRANSACTION, payload.get(2, b"")).get(1, [])
        endorsed = read(ACTION_PAYLOAD, actions[0].get(2, b""))[2]
        read(CHAINCODE_ACTION, read(RESPONSE_PAYLOAD, endorsed.get(1, b"")).get(2, b""))
    except (WireError, IndexError, KeyError):
        return False
    return True


def ends_peers(envelope: bytes) -> bool:
    """Say whether Fabric's peers end at a transaction: its action has no endorsed action (msgvalidation.go:223, 3.1.5)."""
    try:
        payload = read(PAYLOAD, read(ENVELOPE, envelope).get(1, b""))
        actions = read(TRANSACTION, payload.get(2, b"")).get(1, [])
        return len(actions) == 1 and 2 not in read(ACTION_PAYLOAD, actions[0].get(2, b""))
    except WireError:
        return False


def stops_orderers(envelope: bytes) -> bool:
    """Say whether Fabric's orderers take an envelope and then propose it in vain, and all others with it.

    Broadcast takes every type that it does not know; consensus takes endorser transactions only (smartbft/verifier.go, 3.1.5).
    """
    try:
        header = read(PAYLOAD, read(ENVELOPE, envelope).get(1, b"")).get(1, {}).get(1, b"")
        kind = read(CHANNEL_HEADER, header).get(1, 0)
    except WireError:
        return False
    return kind not in (
        common_pb2.ENDORSER_TRANSACTION,
        common_pb2.CONFIG,
        common_pb2.CONFIG_UPDATE,
        common_pb2.ORDERER_TRANSACTION,
    )


def confuses_state(envelope: bytes) -> bool:
    """Say whether a transaction deletes a key twice over, or writes metadata: Fabric's peers end at some of it (statedb.go:198)."""
    try:
        payload = read(PAYLOAD, read(ENVELOPE, envelope).get(1, b""))
        for action in read(TRANSACTION, payload.get(2, b"")).get(1, []):
            endorsed = read(ACTION_PAYLOAD, action.get(2, b"")).get(2, {})
            made = read(CHAINCODE_ACTION, read(RESPONSE_PAYLOAD, endorsed.get(1, b"")).get(2, b""))
            for namespace in read(TX_READ_WRITE_SET, made.get(1, b"")).get(2, []):
                inner = read(KV_RW_SET, namespace.get(2, b""))
                keys = [write.get(1, "") for write in inner.get(3, [])]
                if 4 in inner or len(set(keys)) < len(keys):
                    return True
    except WireError:
        pass
    return False


def written(name: str, *endorsers: str, creator: str = "client1", chaincode: str = OPEN) -> tuple[str, Plan]:
    """Return a plan that writes a key of its own, for Arena.judge."""
    touched = Touched(chaincode, writes=(("odd", name.encode()[:40]),))
    return name, Plan("odd", (touched,), endorsers, chaincode, creator)


def issuer_of_member(twins: Twins, member: Member) -> Issuer:
    """Return a member's own CA as an issuer of odd certificates."""
    folder = twins.layout.members / member.id / "ca"
    certificate = x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())
    key = Key.of(load_pem_private_key((folder / "key.pem").read_bytes(), None))
    key_id = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    begin = certificate.not_valid_before_utc.strftime("%y%m%d%H%M%SZ")
    return Issuer(certificate.subject.public_bytes(), key, key_id, begin)


def _comparable(theirs: Answer, ours: Answer) -> tuple[str, str]:
    """Return two answers without what is known to differ: how bad strings are told of, how long orderers remember requests."""
    if {theirs, ours} == {
        ACCEPTED,
        replace(ACCEPTED, status=common_pb2.SERVICE_UNAVAILABLE, info=ALREADY_PROCESSED),
    }:
        return str(theirs), str(theirs)
    told = str(theirs).replace("string field contains invalid UTF-8", INVALID_MESSAGE)
    return told, str(ours)


def _is_message(data: bytes) -> bool:
    try:
        read(ENVELOPE, data)
    except WireError:
        return False
    return True


def _payload(data: bytes) -> bytes:
    """Return what is signed of an envelope: orderers write the rest of it anew."""
    return bytes(read(ENVELOPE, data).get(1, b""))


def _code(number: int) -> str:
    return str(transaction_pb2.TxValidationCode.Name(number))
