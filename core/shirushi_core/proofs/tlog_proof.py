"""The C2SP form of an inclusion proof: what other tools of transparency logs read.

    c2sp.org/tlog-proof@v1
    index <n>
    <base64 hash>, a line each
    <an empty line>
    <the checkpoint with its signatures>

Source: C2SP tlog-proof.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields, merkle
from shirushi_core.proofs.canonical import MAX_INTEGER
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.note import MAX_NOTE_BYTES, SignedNote, decode_base64

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PATH = 53
MAX_EXTRA_BYTES = 64 * 1024

_INDEX = re.compile(r"index (0|[1-9][0-9]{0,15})")


@dataclass(frozen=True, slots=True)
class TlogProof:
    """Where an entry stands in a log, the way from there to the root, and the signed head; `extra` proves nothing."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: SignedNote
    extra: bytes | None = None

    def __post_init__(self) -> None:
        fields.check_range(self.index, "tlog-proof: index", 0, MAX_INTEGER)
        if len(self.path) > MAX_PATH or any(len(each) != merkle.HASH_SIZE for each in self.path):
            raise InvalidInputError(f"tlog-proof: expected at most {MAX_PATH} hashes of 32 bytes")

    def to_text(self) -> str:
        """Return the file's text."""
        extra = [] if self.extra is None else [f"extra {base64.b64encode(self.extra).decode()}"]
        path = [base64.b64encode(each).decode() for each in self.path]
        head = "\n".join([HEADER, *extra, f"index {self.index}", *path])
        return f"{head}\n\n{self.checkpoint.to_text()}"

    @classmethod
    def from_bytes(cls, data: bytes) -> TlogProof:
        """Parse a proof in its canonical form; raises InvalidInputError."""
        if len(data) > MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES:
            raise InvalidInputError(f"tlog-proof: {len(data)} bytes are too many")
        try:
            head, separator, note = data.decode().partition("\n\n")
        except UnicodeDecodeError:
            raise InvalidInputError("tlog-proof: not UTF-8") from None
        lines = head.split("\n")
        if lines[0] != HEADER or not separator:
            raise InvalidInputError(f"tlog-proof: expected {HEADER}, a proof, an empty line and a checkpoint")
        lines = lines[1:]
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = decode_base64(lines[0].removeprefix("extra "), "tlog-proof: extra")
            lines = lines[1:]
        index = _INDEX.fullmatch(lines[0]) if lines else None
        if index is None:
            raise InvalidInputError("tlog-proof: expected a line with the index")
        path = tuple(decode_base64(line, "tlog-proof: hash") for line in lines[1:])
        return cls(int(index[1]), path, SignedNote.from_bytes(note.encode()), extra)


def verify_tlog_proof(proof: TlogProof, entry: bytes) -> Checkpoint:
    """Return the checkpoint that an entry is proved under; raises ProofError or InvalidInputError.

    Who signed the checkpoint, and whether that is enough, is for the trust policy to say.
    """
    checkpoint = Checkpoint.from_text(proof.checkpoint.text)
    merkle.verify_inclusion(entry, proof.index, checkpoint.size, proof.path, checkpoint.root)
    return checkpoint
