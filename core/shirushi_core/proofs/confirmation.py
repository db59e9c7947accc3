"""Who confirmed a head, and as of when: cosignatures and quorum certificates counted under a trust policy.

Members are counted, never signatures: a member that signed twice, or with two keys, or also in the quorum certificate, counts
once, at the newest of its times.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.bls import BlsError
from shirushi_core.proofs.checkpoint import Checkpoint, verify_cosignature, verify_log_signature
from shirushi_core.proofs.log_evidence import Head
from shirushi_core.proofs.note import NoteError, NoteSignature, VerifierKey
from shirushi_core.proofs.quorum import verify_quorum_certificate
from shirushi_core.proofs.trust_policy import KeyUse, PolicyKey, PolicyMember, TrustPolicy

CLOCK_TOLERANCE = 300
"""Seconds that a member's clock may be ahead of the verifier's."""

HEADS_KEPT = 1024
"""Heads whose signatures a verifier remembers to have checked."""


class ConfirmationError(ShirushiError):
    """A head that cannot be judged: of another ledger, signed by a key the policy does not know, or badly signed."""


class OtherLogError(ConfirmationError):
    """A head of another ledger's log than the policy's."""


class UnknownKeyError(ConfirmationError):
    """A signature of a key that is not in the policy: the policy is older than the receipt, or the receipt was tampered with."""


class BadSignatureError(ConfirmationError):
    """A signature that names a member's key and does not hold."""


class TooFewError(ConfirmationError):
    """Fewer distinct members confirm a head than the policy asks for."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Who confirmed a head. `times`: member id → newest time (unix s); `quorum`: how many the policy asks for then.

    `not_counted` says, by member, why a signature that holds counts for nothing. `quorum` is more than there are members if the
    policy has no rule for the time. `ahead`: members whose signatures are of a time that the verifier's clock has yet to reach.
    """

    checkpoint: Checkpoint
    times: Mapping[str, int]
    quorum: int
    not_counted: Mapping[str, str]
    ahead: frozenset[str] = frozenset()

    @property
    def members(self) -> tuple[str, ...]:
        """The distinct members that count."""
        return tuple(self.times)

    @property
    def is_enough(self) -> bool:
        """Whether they are a quorum."""
        return len(self.times) >= self.quorum

    @property
    def shows_slow_clock(self) -> bool:
        """Whether a quorum of members say that it is later than the verifier's clock has it."""
        return len(self.ahead) >= self.quorum

    @property
    def as_of(self) -> int | None:
        """The newest time at which a quorum said that this was the head; None without a quorum."""
        newest = sorted(self.times.values(), reverse=True)
        return newest[self.quorum - 1] if self.is_enough else None


@dataclass(frozen=True, slots=True)
class _Known:
    member: PolicyMember
    key: PolicyKey
    verifier: VerifierKey


class HeadVerifier:
    """Checks the signatures of heads under one policy, each head's once."""

    def __init__(self, policy: TrustPolicy) -> None:
        self.policy = policy
        # Four bytes of a key id are a hint: every key that has them is tried.
        self._known: dict[tuple[str, bytes], tuple[_Known, ...]] = {}
        for member in policy.members:
            for key in member.keys:
                verifier = policy.verifier_key(member, key)
                if verifier is not None:
                    name = (verifier.name, verifier.key_id)
                    self._known[name] = (*self._known.get(name, ()), _Known(member, key, verifier))
        self._checked: OrderedDict[Head, tuple[tuple[_Known, int], ...]] = OrderedDict()

    def confirm(self, head: Head, now: int) -> Confirmation:
        """Return who confirmed a head, as the verifier's clock has it `now`; raises ConfirmationError.

        Every signature in it has to be of a key of the policy and hold, so that nothing in a receipt can be changed unseen. What
        was signed outside the windows of member and key, or more than CLOCK_TOLERANCE ahead, is not counted.
        """
        times: dict[str, int] = {}
        ahead: dict[str, int] = {}
        not_counted: dict[str, str] = {}
        for known, at in self._signatures(head):
            member = known.member
            if not member.window.holds(at):
                not_counted[member.id] = "it was no member when it signed"
            elif not known.key.window.holds(at):
                not_counted[member.id] = "its key was out of its window when it signed"
            elif at > now + CLOCK_TOLERANCE:
                not_counted[member.id] = f"its signature is of {at - now} s from now"
                ahead[member.id] = max(at, ahead.get(member.id, at))
            else:
                times[member.id] = max(at, times.get(member.id, at))
        quorum, enough = self._quorum(times)
        if enough is None:
            # Nobody counts, or not enough do: how many it takes is said by the rule of the times that there are.
            quorum = max(self._rule(at) for at in (times or ahead or {"": now}).values())
        else:
            not_counted |= dict.fromkeys(times.keys() - enough, "a rule for more members held when it signed")
            times = {member: times[member] for member in times if member in enough}
        return Confirmation(
            head.checkpoint,
            times,
            quorum,
            {each: why for each, why in not_counted.items() if each not in times},
            frozenset(ahead),
        )

    def _quorum(self, times: Mapping[str, int]) -> tuple[int, frozenset[str] | None]:
        """Return the smallest quorum that is there, and its members; None without one.

        Members are a quorum if they are as many as each rule asks for that held when one of them signed. So a member that dates
        its signature into the time of a stricter rule takes itself away, and not the others.
        """
        rules = {member: self._rule(at) for member, at in times.items()}
        for quorum in sorted(set(rules.values())):
            members = frozenset(member for member, rule in rules.items() if rule <= quorum)
            if len(members) >= quorum:
                return quorum, members
        return 0, None

    def _rule(self, at: int) -> int:
        """Return how many had to agree at a time; without a rule, nobody knows how many would be enough: more than there are."""
        quorum = self.policy.quorum_at(at)
        return len(self.policy.members) + 1 if quorum is None else quorum

    def verify(self, head: Head, now: int) -> Confirmation:
        """Return the confirmation of a head that a quorum confirmed; raises ConfirmationError."""
        confirmation = self.confirm(head, now)
        if not confirmation.is_enough:
            raise TooFewError(
                f"checkpoint of {head.checkpoint.origin}, size {head.checkpoint.size}: expected {confirmation.quorum} members' "
                f"signatures, found {len(confirmation.times)}"
            )
        return confirmation

    def _signatures(self, head: Head) -> tuple[tuple[_Known, int], ...]:
        found = self._checked.get(head)
        if found is None:
            found = self._checked[head] = self._check(head)
            if len(self._checked) > HEADS_KEPT:
                self._checked.popitem(last=False)
        return found

    def _check(self, head: Head) -> tuple[tuple[_Known, int], ...]:
        checkpoint = head.checkpoint
        if checkpoint.origin != self.policy.origin:
            raise OtherLogError(
                f"checkpoint: expected one of the log {self.policy.origin}, found one of {checkpoint.origin}"
            )
        found: list[tuple[_Known, int]] = []
        for signature in head.note.signatures:
            named = self._known.get((signature.name, signature.key_id), ())
            known = [each for each in named if each.key.use is not KeyUse.BLS]
            if not known:
                raise UnknownKeyError(
                    f"checkpoint: signed by {signature.name} with a key that version {self.policy.version} of the trust policy "
                    "does not have; get a newer policy"
                )
            found += _signed(checkpoint, signature, known)
        return (*found, *self._certified(head))

    def _certified(self, head: Head) -> list[tuple[_Known, int]]:
        certificate = head.quorum
        if certificate is None:
            return []
        signers = {}
        for known in (each for named in self._known.values() for each in named):
            if known.key.use is KeyUse.BLS and known.member.id in certificate.signers:
                holds = known.key.window.holds(certificate.time)
                if holds or known.member.id not in signers:
                    signers[known.member.id] = known
        missing = [member for member in certificate.signers if member not in signers]
        if missing:
            raise UnknownKeyError(
                f"quorum certificate: version {self.policy.version} of the trust policy has no BLS key of {', '.join(missing)}"
            )
        try:
            keys = {member: known.key.public_key for member, known in signers.items()}
            verify_quorum_certificate(certificate, head.checkpoint, keys)
        except BlsError as error:
            raise BadSignatureError(str(error)) from error
        return [(known, certificate.time) for known in signers.values()]


def _signed(
    checkpoint: Checkpoint, signature: NoteSignature, named: Sequence[_Known]
) -> list[tuple[_Known, int]]:
    """Return who cosigned with a line, and when; raises BadSignatureError if it holds under none of the keys it names."""
    problems = []
    for known in named:
        try:
            if known.key.use is KeyUse.LOG:
                verify_log_signature(checkpoint, signature, known.verifier)
                return []
            return [(known, verify_cosignature(checkpoint, signature, known.verifier).time)]
        except NoteError as error:
            problems.append(f"{known.member.id}: {error}")
    raise BadSignatureError(f"checkpoint: {'; '.join(problems)}")
