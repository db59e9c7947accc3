"""Members' signatures on heads, verified as they come, and put together into one head that a quorum signed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.bls import BlsError
from shirushi_core.proofs.checkpoint import Checkpoint, verify_cosignature, verify_log_signature
from shirushi_core.proofs.confirmation import Confirmation, HeadVerifier
from shirushi_core.proofs.log_evidence import Head
from shirushi_core.proofs.note import ED25519, NoteError, NoteSignature, SignedNote, VerifierKey
from shirushi_core.proofs.quorum import QuorumCertificate, combine, read_share
from shirushi_core.proofs.trust_policy import KeyUse


@dataclass(slots=True)
class _Signed:
    """The signatures gathered on one checkpoint."""

    checkpoint: Checkpoint
    log_line: NoteSignature | None = None
    cosignatures: dict[str, NoteSignature] = field(default_factory=dict)
    shares: dict[int, dict[str, bytes]] = field(default_factory=dict)


class HeadSignatures:
    """What members have signed so far, by head. `clock` is unix seconds."""

    def __init__(self, heads: HeadVerifier, clock: Callable[[], float]) -> None:
        self._heads = heads
        self._clock = clock
        self._signed: dict[Checkpoint, _Signed] = {}

    @property
    def quorum(self) -> int:
        """How many members have to agree now."""
        policy = self._heads.policy
        return policy.quorum_at(int(self._clock())) or len(policy.members) + 1

    def add(self, member_id: str, note: SignedNote) -> Checkpoint:
        """Take a member's own signatures out of its note; raises ConfirmationError, InvalidInputError if there is no good one."""
        checkpoint = Checkpoint.from_text(note.text)
        policy = self._heads.policy
        member = policy.member(member_id)
        lines: dict[KeyUse, tuple[NoteSignature, VerifierKey]] = {}
        share: tuple[int, bytes] | None = None
        for key in member.keys if member is not None else ():
            verifier = policy.verifier_key(member, key) if member is not None else None
            if verifier is None:
                continue
            for line in note.of(verifier):
                if key.use is KeyUse.BLS:
                    share = read_share(line, verifier)
                elif key.use not in lines or not _holds(checkpoint, *lines[key.use]):
                    # Where there is one only, it is looked at below, once.
                    lines[key.use] = (line, verifier)
        if KeyUse.COSIGNER not in lines:
            raise InvalidInputError("its checkpoint is not cosigned by it")
        own = Head(SignedNote(note.text, tuple(line for line, _ in lines.values())))
        confirmation = self._heads.confirm(own, int(self._clock()))
        if member_id not in confirmation.times:
            raise InvalidInputError(
                f"its signature does not count: {confirmation.not_counted.get(member_id, 'it is of another')}"
            )
        signed = self._signed.setdefault(checkpoint, _Signed(checkpoint))
        signed.cosignatures[member_id] = lines[KeyUse.COSIGNER][0]
        if signed.log_line is None and KeyUse.LOG in lines:
            signed.log_line = lines[KeyUse.LOG][0]
        if share is not None:
            signed.shares.setdefault(share[0], {})[member_id] = share[1]
        return checkpoint

    def confirmation(self, checkpoint: Checkpoint) -> Confirmation:
        """Return who has signed a head."""
        return self._heads.confirm(Head(_note(self._signed[checkpoint])), int(self._clock()))

    def confirmed(self) -> list[Checkpoint]:
        """Return the heads that a quorum has signed."""
        return [checkpoint for checkpoint in self._signed if self.confirmation(checkpoint).is_enough]

    def most_signed(self) -> Checkpoint | None:
        """Return the head that most members have signed, None if there is none."""
        return max(self._signed, key=lambda each: len(self._signed[each].cosignatures), default=None)

    def signers_of_others(self, checkpoint: Checkpoint) -> list[str]:
        """Return the members that have signed another head than this one."""
        return [
            member
            for other, signed in self._signed.items()
            if other != checkpoint
            for member in signed.cosignatures
        ]

    def head(self, checkpoint: Checkpoint, *, certified: bool = False) -> Head:
        """Return a head with all signatures on it; `certified`: with a quorum certificate, if there are shares enough of one minute."""
        signed = self._signed[checkpoint]
        return Head(_note(signed), self._certificate(signed) if certified else None)

    def _certificate(self, signed: _Signed) -> QuorumCertificate | None:
        """Combine the shares of one minute, if they are a quorum's."""
        minute, shares = max(
            signed.shares.items(), key=lambda each: (len(each[1]), each[0]), default=(0, dict[str, bytes]())
        )
        if len(shares) < self.quorum:
            return None
        keys = {
            member.id: key.public_key
            for member in self._heads.policy.members
            for key in member.keys
            if key.use is KeyUse.BLS and key.window.holds(minute * 60)
        }
        try:
            certificate = combine(signed.checkpoint, minute, shares, keys)
        except BlsError:
            return None
        return certificate if len(certificate.signers) >= self.quorum else None


def _holds(checkpoint: Checkpoint, line: NoteSignature, verifier: VerifierKey) -> bool:
    try:
        if verifier.kind == ED25519:
            verify_log_signature(checkpoint, line, verifier)
        else:
            verify_cosignature(checkpoint, line, verifier)
    except NoteError:
        return False
    return True


def _note(signed: _Signed) -> SignedNote:
    lines: Iterable[NoteSignature] = () if signed.log_line is None else (signed.log_line,)
    return SignedNote(
        signed.checkpoint.to_text(),
        (*lines, *(signed.cosignatures[member] for member in sorted(signed.cosignatures))),
    )
