"""Who signed a note, under a trust policy: every signature of a known key, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import bls
from shirushi_core.proofs.bls import BlsError
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.checkpoint import Checkpoint, verify_cosignature, verify_log_signature
from shirushi_core.proofs.note import NoteError, NoteSignature, SignedNote, VerifierKey
from shirushi_core.proofs.quorum import SECONDS, quorum_statement, read_share
from shirushi_core.proofs.trust_policy import KeyUse, PolicyKey, PolicyMember, TrustPolicy


@dataclass(frozen=True, slots=True)
class Signature:
    """A member's signature on a note: with which key, at what time (unix s; None for the log's), and what is wrong with it.

    `holds` is about the signature itself: one that holds and has a `problem` was made outside a window of the policy.
    """

    member_id: str
    use: KeyUse
    time: int | None
    holds: bool
    problem: str | None = None

    @property
    def counts(self) -> bool:
        """Whether it is good evidence of what its member signed."""
        return self.problem is None

    def to_json(self) -> dict[str, Json]:
        """Return {"holds": bool, "member": id, "problem": str|null, "time": unix s|null, "use"}."""
        return {
            "holds": self.holds,
            "member": self.member_id,
            "problem": self.problem,
            "time": self.time,
            "use": self.use.value,
        }


def read_signatures(note: SignedNote, policy: TrustPolicy) -> tuple[Signature, ...]:
    """Return the signatures on a checkpoint's note by keys of the policy; those of other keys say nothing.

    Raises InvalidInputError for a note that is no checkpoint.
    """
    checkpoint = Checkpoint.from_text(note.text)
    read = [
        (signature, _read(checkpoint, signature, member, key, verifier))
        for member, key, verifier in _keys(policy)
        for signature in note.of(verifier)
    ]
    held = {signature for signature, each in read if each.holds}
    # Several keys may have one name and key id: a line that holds under one of them is that one's alone.
    return tuple(each for signature, each in read if each.holds or signature not in held)


def cosigned_at(signatures: tuple[Signature, ...], member_id: str) -> int | None:
    """Return the newest time at which a member cosigned, None if it did not."""
    times = [
        each.time
        for each in signatures
        if each.member_id == member_id
        and each.use is KeyUse.COSIGNER
        and each.counts
        and each.time is not None
    ]
    return max(times, default=None)


def _keys(policy: TrustPolicy) -> Iterator[tuple[PolicyMember, PolicyKey, VerifierKey]]:
    for member in policy.members:
        for key in member.keys:
            verifier = policy.verifier_key(member, key)
            if verifier is not None:
                yield member, key, verifier


def _read(
    checkpoint: Checkpoint,
    signature: NoteSignature,
    member: PolicyMember,
    key: PolicyKey,
    verifier: VerifierKey,
) -> Signature:
    try:
        time = _verified_time(checkpoint, signature, key, verifier)
    except (NoteError, BlsError, InvalidInputError) as error:
        return Signature(member.id, key.use, None, holds=False, problem=str(error))
    problem = None
    if time is not None and not key.window.holds(time):
        problem = "its key was out of its window when it signed"
    elif time is not None and not member.window.holds(time):
        problem = "it was no member when it signed"
    return Signature(member.id, key.use, time, holds=True, problem=problem)


def _verified_time(
    checkpoint: Checkpoint, signature: NoteSignature, key: PolicyKey, verifier: VerifierKey
) -> int | None:
    match key.use:
        case KeyUse.LOG:
            verify_log_signature(checkpoint, signature, verifier)
            return None
        case KeyUse.COSIGNER:
            return verify_cosignature(checkpoint, signature, verifier).time
        case _:
            minute, share = read_share(signature, verifier)
            bls.verify(key.public_key, quorum_statement(checkpoint, minute), share)
            return minute * SECONDS
