"""Where cases are judged: five members' real nodes, and the embedded ledger and the witnesses' derivation beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fabric_protos.peer import transaction_pb2
from tests.fabric.forging import Forge, Signer, cast_of
from tests.fabric.fuzzing.drafts import Issuer
from tests.fabric.fuzzing.keys import Key
from tests.fabric.random_plans import OPEN, Plan, Touched
from tests.fabric.twins import ACCEPTED, Answer, Twins

from shirushi_network.topology import Member


@dataclass
class Tally:
    """What came of a run: how often both said what, and where they did not say the same."""

    cases: int = 0
    said: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

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
        self.cast: dict[str, Signer] = dict(cast_of(twins.layout, twins.topology))
        self.member = twins.topology.members[odd]
        self.issuer = issuer_of_member(twins, self.member)
        self._made = 0

    def judge(self, plans: Sequence[tuple[str, Plan]], cast: Mapping[str, Signer], tally: Tally) -> None:
        """Hand transactions in at both, and count what both say."""
        forge = Forge(self.twins.topology.channel, {**self.cast, **cast}, seed=20)
        with self.twins.store.snapshot() as state:
            envelopes = [
                (name, forge.envelope(plan, self._made + number, state))
                for number, (name, plan) in enumerate(plans)
            ]
        self._made += len(plans)
        self.judge_envelopes(envelopes, tally)

    def judge_envelopes(self, envelopes: Sequence[tuple[str, bytes]], tally: Tally) -> None:
        """Hand envelopes in at both, and count what both say."""
        answers = self.twins.run(self.twins.hand_in([data for _, data in envelopes]))
        accepted: list[str] = []
        for (name, data), theirs in zip(envelopes, answers, strict=True):
            ours = self._ours(data)
            if theirs == ACCEPTED:
                accepted.append(name)
            if theirs != ours or theirs != ACCEPTED:
                tally.count(name, str(theirs), str(ours))
        for block in self.twins.run(self.twins.follow(len(accepted))):
            for theirs_code, ours_code in zip(block.theirs, block.ours, strict=True):
                name = accepted.pop(0)
                tally.count(name, _code(theirs_code), _code(ours_code))
            if block.theirs == block.ours and block.their_hash != block.our_hash:
                tally.differences.append(f"{name}: another commit hash of its block")
            self.twins.take_over_hash(block)

    def _ours(self, envelope: bytes) -> Answer:
        return self.twins.answer_of_ours(envelope)


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


def _code(number: int) -> str:
    return str(transaction_pb2.TxValidationCode.Name(number))
