"""What an audit finds: each with a stable code, where it is, what was expected, and who signed what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shirushi_client.audit.signatures import Signature
from shirushi_client.audit.words import SENTENCES
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.note import SignedNote


class Kind(StrEnum):
    """Whether something is wrong, or could not be looked at."""

    DIFFERENCE = "difference"
    INCOMPLETE = "incomplete"


class Code(StrEnum):
    """Every code of a finding."""

    CHECKPOINT_OTHER_LOG = "CHECKPOINT_OTHER_LOG"
    CHECKPOINT_BAD_SIGNATURE = "CHECKPOINT_BAD_SIGNATURE"
    ENTRY_DIFFERS = "ENTRY_DIFFERS"
    ENTRY_MISSING = "ENTRY_MISSING"
    TILE_FORGED = "TILE_FORGED"
    TILES_CONTRADICT = "TILES_CONTRADICT"
    ROOT_DIFFERS = "ROOT_DIFFERS"
    ENTRY_MALFORMED = "ENTRY_MALFORMED"
    ENTRY_AGAINST_RULES = "ENTRY_AGAINST_RULES"
    STATUS_ROOT_DIFFERS = "STATUS_ROOT_DIFFERS"
    NOT_A_HEAD = "NOT_A_HEAD"
    LOGS_DIFFER = "LOGS_DIFFER"
    SIGNED_ANOTHER_HEAD = "SIGNED_ANOTHER_HEAD"
    SIGNED_BACKWARDS = "SIGNED_BACKWARDS"
    PROOF_FORGED = "PROOF_FORGED"
    BLOCK_REFUSED = "BLOCK_REFUSED"
    ANCHORED_NOT_LISTED = "ANCHORED_NOT_LISTED"
    LISTED_NOT_ANCHORED = "LISTED_NOT_ANCHORED"
    COUNT_DIFFERS = "COUNT_DIFFERS"
    MEMBER_UNREACHABLE = "MEMBER_UNREACHABLE"
    LOG_UNREADABLE = "LOG_UNREADABLE"
    CHECKPOINT_MISSING = "CHECKPOINT_MISSING"
    CHECKPOINT_NOT_SIGNED = "CHECKPOINT_NOT_SIGNED"
    CHECKPOINT_STALE = "CHECKPOINT_STALE"
    CHECKPOINT_AHEAD = "CHECKPOINT_AHEAD"
    BLOCKS_UNREADABLE = "BLOCKS_UNREADABLE"

    @property
    def kind(self) -> Kind:
        """Whether something is wrong, or could not be looked at."""
        return Kind.INCOMPLETE if self in _INCOMPLETE else Kind.DIFFERENCE


_INCOMPLETE = frozenset(
    {
        Code.MEMBER_UNREACHABLE,
        Code.LOG_UNREADABLE,
        Code.CHECKPOINT_MISSING,
        Code.CHECKPOINT_NOT_SIGNED,
        Code.CHECKPOINT_STALE,
        Code.CHECKPOINT_AHEAD,
        Code.BLOCKS_UNREADABLE,
    }
)


class SourceKind(StrEnum):
    """Where a log was read."""

    WITNESS = "witness"
    TILES = "tiles"
    BLOCKS = "blocks"


@dataclass(frozen=True, slots=True)
class SourceName:
    """Which log: a member's witness, a folder of tiles (`member_id` None), or the blocks of a member's peer."""

    kind: SourceKind
    member_id: str | None
    name_ja: str
    name_en: str

    def to_json(self) -> dict[str, Json]:
        """Return {"kind", "member": id|null, "name": {"en", "ja"}}."""
        return {
            "kind": self.kind.value,
            "member": self.member_id,
            "name": {"en": self.name_en, "ja": self.name_ja},
        }


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one log has: its signed note, who signed that, and the entry in question; each if there is one."""

    source: SourceName
    note: SignedNote | None = None
    signatures: tuple[Signature, ...] = ()
    entry: bytes | None = None

    def to_json(self) -> dict[str, Json]:
        """Return {"entry": text|null, "note": text|null, "signatures": [...], "source": {...}}."""
        entry = self.entry
        return {
            "entry": None if entry is None else entry.decode(errors="backslashreplace"),
            "note": None if self.note is None else self.note.to_text(),
            "signatures": [each.to_json() for each in self.signatures],
            "source": self.source.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an audit found. `source` None: it is about no single log; `index` counts log entries from 0."""

    code: Code
    source: SourceName | None = None
    index: int | None = None
    expected: str = ""
    found: str = ""
    other: SourceName | None = None
    evidence: tuple[Evidence, ...] = ()

    @property
    def kind(self) -> Kind:
        """Whether something is wrong, or could not be looked at."""
        return self.code.kind

    @property
    def ja(self) -> str:
        """The sentence in Japanese."""
        return self._say(0)

    @property
    def en(self) -> str:
        """The sentence in English."""
        return self._say(1)

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {
            "code": self.code.value,
            "evidence": [each.to_json() for each in self.evidence],
            "expected": self.expected,
            "found": self.found,
            "index": self.index,
            "kind": self.kind.value,
            "message": {"en": self.en, "ja": self.ja},
            "other": None if self.other is None else self.other.to_json(),
            "source": None if self.source is None else self.source.to_json(),
        }

    def _say(self, language: int) -> str:
        def name(source: SourceName | None) -> str:
            return "" if source is None else (source.name_ja, source.name_en)[language]

        return SENTENCES[self.code.value][language].format(
            log=name(self.source),
            other=name(self.other),
            index=self.index,
            expected=self.expected,
            found=self.found,
        )
