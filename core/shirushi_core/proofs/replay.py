"""A log derived anew from its entries: its head, its status tree, and whether the contract can have made what stands in it.

What entries alone show is checked, one after the other: their form; that every block with entries ends with the root of the status
tree after it; that batches are anchored once, by an issuer that was registered, active and sealed them with a key in its window;
that a status changed only as it may; that issuers' records were proposed and follow each other. That members enough endorsed
all this stands in the blocks, not in the log. Source: docs/formats/contract.md, checkpoint.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.compact_range import CompactRange
from shirushi_core.proofs.current_nodes import CurrentNodes
from shirushi_core.proofs.issuer import IssuerRecord, IssuerState, KeyUse
from shirushi_core.proofs.issuer_proposal import IssuerProposal, IssuerVote, proposal_id
from shirushi_core.proofs.log_entry import Content, StatusEntry, read_entry
from shirushi_core.proofs.merkle import leaf_hash
from shirushi_core.proofs.seal import SealError, verify_seal
from shirushi_core.proofs.status import Status, StatusChangeError, StatusRecord, check_change

MAX_SECONDS_AHEAD = 300
"""How far after its transaction a status may take effect (docs/formats/contract.md, set_status)."""


class Fault(StrEnum):
    """What is wrong with an entry."""

    MALFORMED = "malformed"
    """It is none that the contract or a witness makes."""

    AGAINST_RULES = "against_rules"
    """The contract does not allow it after the entries before it."""

    STATUS_ROOT = "status_root"
    """The status root in it is not that of the statuses before it."""


class ReplayError(ShirushiError):
    """An entry that cannot stand where it does: its index in the log, what was expected there, and what was found."""

    def __init__(self, index: int, fault: Fault, expected: str, found: str) -> None:
        super().__init__(f"log entry {index}: expected {expected}, found {found}")
        self.index = index
        self.fault = fault
        self.expected = expected
        self.found = found


@dataclass(frozen=True, slots=True)
class AnchoredBatch:
    """A batch as the log has it; `index` is its entry's, `anchored_at` unix seconds."""

    index: int
    issuer: str
    document_type: str
    size: int
    anchored_at: int
    tx_id: str


@dataclass(frozen=True, slots=True)
class IssuerCounts:
    """How much of an issuer's is in a log: batches, the certificates in them, and changes of status."""

    batches: int = 0
    certificates: int = 0
    changes: int = 0


class _BrokenRuleError(Exception):
    def __init__(self, expected: str, found: str, fault: Fault = Fault.AGAINST_RULES) -> None:
        super().__init__(expected)
        self.expected = expected
        self.found = found
        self.fault = fault


class Replay:
    """A log of one ledger as far as it was fed. After a ReplayError nothing more is to be fed: what follows cannot be judged.

    `sealed` are entries (leaf hashes) whose seals were found to hold; several replays of one ledger may share it, so that each seal
    is verified once.
    """

    def __init__(self, ledger: str, *, sealed: set[bytes] | None = None) -> None:
        self._ledger = ledger
        self._sealed = set() if sealed is None else sealed
        self._range = CompactRange()
        self._nodes = CurrentNodes()
        self._statuses: dict[tuple[bytes, bytes | None], Status] = {}
        self._batches: dict[bytes, AnchoredBatch] = {}
        self._counts: dict[str, IssuerCounts] = {}
        self._issuers: dict[str, IssuerRecord] = {}
        self._proposals: dict[bytes, tuple[str, int]] = {}  # not adopted: issuer id, sequence
        self._proposed: set[bytes] = set()
        self._approvals: set[tuple[bytes, str]] = set()
        self._pending = 0  # entries since the last status entry
        self.block = -1
        """The last block that a status entry named."""

    @property
    def size(self) -> int:
        """How many entries were fed."""
        return self._range.size

    def root(self) -> bytes:
        """Return the log's head."""
        return self._range.root()

    @property
    def status_root(self) -> bytes:
        """The root of the status tree."""
        return self._nodes.root

    @property
    def at_head(self) -> bool:
        """Whether the last entry ends a block, as that of every head does."""
        return self.size > 0 and self._pending == 0

    @property
    def batches(self) -> Mapping[bytes, AnchoredBatch]:
        """The anchored batches by their ids, in the order of the log."""
        return self._batches

    @property
    def counts(self) -> Mapping[str, IssuerCounts]:
        """How much is in the log, by issuer."""
        return self._counts

    def feed(self, data: bytes) -> None:
        """Take in the next entry; raises ReplayError if it cannot stand there."""
        index, leaf = self.size, leaf_hash(data)
        self._range.append(leaf)
        try:
            self._take_in(read_entry(data), index, leaf)
        except InvalidInputError as error:
            raise ReplayError(
                index, Fault.MALFORMED, "an entry that the contract or a witness makes", str(error)
            ) from None
        except _BrokenRuleError as error:
            raise ReplayError(index, error.fault, error.expected, error.found) from None

    def _take_in(self, entry: Content | StatusEntry, index: int, leaf: bytes) -> None:
        if isinstance(entry, StatusEntry):
            self._end_block(entry)
            return
        match entry:
            case IssuanceAnchor():
                self._anchor(entry, index, leaf)
            case StatusRecord():
                self._change(entry)
            case IssuerRecord():
                self._adopt(entry)
            case IssuerProposal():
                self._propose(entry)
            case IssuerVote():
                self._vote(entry)
        self._pending += 1

    def _end_block(self, entry: StatusEntry) -> None:
        if self._pending == 0:
            raise _BrokenRuleError("a status entry at the end of a block's entries only", "one by itself")
        if entry.block <= self.block:
            raise _BrokenRuleError(
                f"the status entry of a block after {self.block}", f"that of {entry.block}"
            )
        if entry.root != self.status_root:
            raise _BrokenRuleError(
                f"the status root {self.status_root.hex()}", entry.root.hex(), Fault.STATUS_ROOT
            )
        self.block, self._pending = entry.block, 0

    def _anchor(self, anchor: IssuanceAnchor, index: int, leaf: bytes) -> None:
        statement = anchor.statement
        batch_id = statement.batch_id
        if statement.ledger != self._ledger:
            raise _BrokenRuleError(f"a statement of ledger {self._ledger}", f"one of {statement.ledger}")
        before = self._batches.get(batch_id)
        if before is not None:
            raise _BrokenRuleError(
                "a batch that is anchored once",
                f"batch {batch_id.hex()} again, which entry {before.index} has anchored",
            )
        self._check_issuer(anchor, leaf)
        self._batches[batch_id] = AnchoredBatch(
            index=index,
            issuer=statement.issuer,
            document_type=statement.document_type,
            size=statement.size,
            anchored_at=anchor.anchored_at,
            tx_id=anchor.tx_id,
        )
        counts = self._counts.get(statement.issuer, IssuerCounts())
        self._counts[statement.issuer] = replace(
            counts, batches=counts.batches + 1, certificates=counts.certificates + statement.size
        )

    def _check_issuer(self, anchor: IssuanceAnchor, leaf: bytes) -> None:
        issuer = self._issuers.get(anchor.statement.issuer)
        if issuer is None:
            raise _BrokenRuleError("a registered issuer", f"{anchor.statement.issuer}, which is none")
        if issuer.state is not IssuerState.ACTIVE or issuer.sequence != anchor.issuer_sequence:
            raise _BrokenRuleError(
                f"an active issuer, judged by record {issuer.sequence}, its newest",
                f"{issuer.id}, which is {issuer.state}, judged by record {anchor.issuer_sequence}",
            )
        key = issuer.key_at(KeyUse.SEAL, anchor.seal.key_id, anchor.anchored_at)
        if key is None:
            raise _BrokenRuleError(
                f"a seal of {issuer.id} with a key in its window at {anchor.anchored_at}",
                f"one with key {anchor.seal.key_id.hex()}",
            )
        if leaf in self._sealed:
            return
        try:
            verify_seal(anchor.statement, anchor.seal, key.public_key)
        except SealError as error:
            raise _BrokenRuleError("a seal that holds", str(error)) from None
        self._sealed.add(leaf)

    def _change(self, record: StatusRecord) -> None:
        batch = self._batches.get(record.batch_id)
        if batch is None:
            raise _BrokenRuleError(
                "a status of a batch that is anchored", f"one of batch {record.batch_id.hex()}, which is not"
            )
        target = (record.batch_id, record.commitment)
        try:
            check_change(self._statuses.get(target, Status.VALID), record.status)
        except StatusChangeError as error:
            raise _BrokenRuleError("a change that the status before allows", str(error)) from None
        latest = record.changed_at + MAX_SECONDS_AHEAD
        if not batch.anchored_at <= record.effective_at <= latest:
            raise _BrokenRuleError(
                f"a change that takes effect from {batch.anchored_at} to {latest}",
                f"one that does at {record.effective_at}",
            )
        self._check_successor(record, batch)
        self._nodes.set_status(record)
        self._statuses[target] = record.status
        counts = self._counts[batch.issuer]
        self._counts[batch.issuer] = replace(counts, changes=counts.changes + 1)

    def _check_successor(self, record: StatusRecord, batch: AnchoredBatch) -> None:
        successor = record.successor
        if successor is None:
            return
        following = self._batches.get(successor.batch_id)
        if following is None or following.issuer != batch.issuer:
            raise _BrokenRuleError(
                f"a successor in a batch that {batch.issuer} has anchored",
                f"one in {successor.batch_id.hex()}",
            )
        own_batch = record.commitment is None and record.batch_id == successor.batch_id
        if own_batch or record.commitment == successor.commitment:
            raise _BrokenRuleError("a successor that is another", "the one that is superseded")

    def _propose(self, proposal: IssuerProposal) -> None:
        record = proposal.record
        present = self._issuers.get(record.id)
        due = 1 if present is None else present.sequence + 1
        if record.sequence != due or proposal.proposal_id in self._proposed:
            raise _BrokenRuleError(
                f"a new proposal of record {due} of issuer {record.id}", f"one of record {record.sequence}"
            )
        self._proposed.add(proposal.proposal_id)
        self._proposals[proposal.proposal_id] = (record.id, record.sequence)

    def _vote(self, vote: IssuerVote) -> None:
        issuer, sequence = self._proposals.get(vote.proposal_id, ("", 0))
        present = self._issuers.get(issuer)
        if not issuer or (present is not None and present.sequence >= sequence):
            raise _BrokenRuleError(
                "a vote on a proposal that is open", f"one on proposal {vote.proposal_id.hex()}"
            )
        key = (vote.proposal_id, vote.msp_id)
        if vote.given:
            self._approvals.add(key)
        elif key in self._approvals:
            self._approvals.remove(key)
        else:
            raise _BrokenRuleError(
                f"an approval of {vote.msp_id} that can be withdrawn", "a withdrawal without one"
            )

    def _adopt(self, record: IssuerRecord) -> None:
        key = proposal_id(record)
        if key not in self._proposals:
            raise _BrokenRuleError(
                "an issuer's record that was proposed",
                f"record {record.sequence} of {record.id}, which was not",
            )
        if not any(approved == key for approved, _ in self._approvals):
            raise _BrokenRuleError(
                "an issuer's record that members approved", f"record {record.sequence} of {record.id}"
            )
        present = self._issuers.get(record.id)
        due = 1 if present is None else present.sequence + 1
        if record.sequence != due:
            raise _BrokenRuleError(
                f"record {due} of issuer {record.id}, its next one", f"record {record.sequence}"
            )
        self._check_keys_kept(present, record)
        self._issuers[record.id] = record
        del self._proposals[key]

    def _check_keys_kept(self, present: IssuerRecord | None, record: IssuerRecord) -> None:
        kept = {(key.use, key.key_id, key.not_before) for key in record.keys}
        for key in () if present is None else present.keys:
            if (key.use, key.key_id, key.not_before) not in kept:
                raise _BrokenRuleError(
                    f"a record of {record.id} that keeps {key.use} key {key.key_id.hex()}", "one without it"
                )
