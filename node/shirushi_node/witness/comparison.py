"""Whether another member's signed head is one of this log: what a witness is there to notice, and what it keeps as evidence."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.checkpoint import Checkpoint, Cosignature, verify_cosignature
from shirushi_core.proofs.note import NoteError, SignedNote, VerifierKey

EVIDENCE = "disagreements"
"""The folder with a file for each contradiction that was found; who has settled one moves the file away."""


@dataclass(frozen=True, slots=True)
class SeenNote:
    """A note with a member's cosignature that holds."""

    note: SignedNote
    checkpoint: Checkpoint
    time: int

    def follows(self, before: SeenNote | None) -> bool:
        """Say whether this is newer than the one seen before: larger, or cosigned later."""
        if before is None:
            return True
        return (self.checkpoint.size, self.time) > (before.checkpoint.size, before.time)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two signed notes that cannot both be of one log, and a sentence that says why."""

    member_id: str
    sentence: str
    theirs: SignedNote
    ours: SignedNote | None

    @property
    def file_name(self) -> str:
        """The evidence's file, the same for the same pair."""
        checkpoint = Checkpoint.from_text(self.theirs.text)
        return f"{self.member_id}-{checkpoint.size}-{checkpoint.root.hex()[:16]}.json"

    def to_bytes(self) -> bytes:
        """Return the evidence: the sentence and both notes."""
        return encode(
            {
                "member": self.member_id,
                "ours": None if self.ours is None else self.ours.to_text(),
                "sentence": self.sentence,
                "theirs": self.theirs.to_text(),
            }
        )


def read_note(data: bytes, key: VerifierKey) -> SeenNote:
    """Read a note with a member's cosignature; raises NoteError or InvalidInputError.

    A line that does not hold takes nothing from one that does: whoever passes a note on can add lines to it.
    """
    note = SignedNote.from_bytes(data)
    checkpoint = Checkpoint.from_text(note.text)
    cosignatures: list[Cosignature] = []
    problem = NoteError(f"the note has no cosignature of {key.name}")
    for signature in note.of(key):
        try:
            cosignatures.append(verify_cosignature(checkpoint, signature, key))
        except NoteError as error:
            problem = error
    if not cosignatures:
        raise problem
    return SeenNote(note, checkpoint, max(each.time for each in cosignatures))


def contradiction(theirs: SeenNote, ours: Checkpoint, *, is_head: bool) -> str | None:
    """Say in a sentence what is wrong with another's head, given this log at the same size; None if they agree.

    `is_head` says whether this log ends with a status entry there, as every head does.
    """
    size = ours.size
    if theirs.checkpoint.root != ours.root:
        return f"signed a head of {size} entries whose root differs from this log's"
    if not is_head:
        return f"signed a head of {size} entries, where this log has none"
    return None


def step_back(theirs: SeenNote, before: SeenNote | None) -> str | None:
    """Say what is wrong if a member cosigned an older head after a newer one, or two of one size; None if it did not."""
    if before is None:
        return None
    if theirs.checkpoint.size == before.checkpoint.size and theirs.checkpoint.root != before.checkpoint.root:
        return f"signed two heads of {theirs.checkpoint.size} entries with different roots"
    if theirs.checkpoint.size < before.checkpoint.size and theirs.time > before.time:
        return (
            f"signed a head of {theirs.checkpoint.size} entries after one of {before.checkpoint.size}: "
            "its log is shorter than it was"
        )
    return None


class Evidence:
    """The folder of disagreements."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / EVIDENCE

    def members(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """Return the members whom some evidence is about."""
        names = [file.name for file in self._folder.glob("*.json")] if self._folder.is_dir() else []
        return tuple(
            member
            for member in known
            if any(
                name.startswith(f"{member}-") and name.removeprefix(f"{member}-").count("-") == 1
                for name in names
            )
        )

    def keep(self, disagreement: Disagreement) -> bool:
        """Write a disagreement down durably; False if it is there already. Raises ShirushiError."""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            path = self._folder / disagreement.file_name
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return False
        except OSError as error:
            raise ShirushiError(
                f"the evidence against {disagreement.member_id} cannot be kept in {self._folder}: {error.strerror}"
            ) from None
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(disagreement.to_bytes())
            stream.flush()
            os.fsync(stream.fileno())
        return True
