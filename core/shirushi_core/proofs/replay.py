"""A log derived anew from its entries: its head, its status tree, and whether the contract can have made what stands in it.

What entries alone show is checked, one after the other: their form; that every block with entries ends with the root of the status
tree after it; that time does not run backwards; that batches are anchored once, by an issuer that was registered, active, may
issue this type and sealed them with a key in its window; that a status changed only as it may; that issuers' records were proposed
and follow each other. What concerns a key that an unjudged transaction wrote is not held against the entries after it, as long as
the mark stands. That members enough endorsed all this stands in the blocks, not in the log.
Source: docs/formats/contract.md, derivation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.compact_range import CompactRange
from shirushi_core.proofs.current_nodes import CurrentNodes
from shirushi_core.proofs.issuer import IssuerRecord, IssuerState, KeyUse
from shirushi_core.proofs.issuer_proposal import IssuerProposal, IssuerVote, proposal_id
from shirushi_core.proofs.log_entry import Content, StatusEntry, UnjudgedEntry, read_entry
from shirushi_core.proofs.merkle import leaf_hash
from shirushi_core.proofs.seal import SealError, verify_seal
from shirushi_core.proofs.status import Status, StatusChangeError, StatusRecord, check_change
from shirushi_core.proofs.unjudged import anchor_key, issuer_key, status_key

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
        self._issuers_before: dict[str, IssuerRecord] = {}  # recorded by version 1 of the rules
        self._proposals: dict[bytes, tuple[str, int]] = {}  # not adopted: issuer id, sequence
        self._proposed: set[bytes] = set()
        self._approvals: set[tuple[bytes, str]] = set()
        self._pending = 0  # entries since the last status entry
        self._changes: list[
            Callable[[], None]
        ] = []  # of the status tree since then: the entry says by which rules
        self._marking: set[str] = set()  # keys marked since then
        self._proposals_judged = (
            True  # until a transaction wrote what nobody can judge, perhaps a proposal or an approval
        )
        self.block = -1
        """The last block that a status entry named."""
        self.time: int | None = None
        """The time in the last status entry, unix seconds; None in a log by version 1 of the rules."""

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

    def _take_in(self, entry: Content | StatusEntry | UnjudgedEntry, index: int, leaf: bytes) -> None:
        if isinstance(entry, StatusEntry):
            self._end_block(entry)
            return
        match entry:
            case UnjudgedEntry():
                self._mark(entry)
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
        if self._pending == 0 and entry.time is None:
            raise _BrokenRuleError("a status entry at the end of a block's entries only", "one by itself")
        if entry.block <= self.block:
            raise _BrokenRuleError(
                f"the status entry of a block after {self.block}", f"that of {entry.block}"
            )
        self._pass_time(entry)
        for change in self._changes:
            change()
        self._changes.clear()
        self._marking.clear()
        if entry.root != self.status_root:
            raise _BrokenRuleError(
                f"the status root {self.status_root.hex()}", entry.root.hex(), Fault.STATUS_ROOT
            )
        self.block, self._pending = entry.block, 0

    def _pass_time(self, entry: StatusEntry) -> None:
        """Take over the time in a status entry; with the first one, version 2 of the rules holds and issuers are in the tree."""
        if self.time is not None and (entry.time is None or entry.time < self.time):
            found = "none" if entry.time is None else str(entry.time)
            raise _BrokenRuleError(f"a status entry with a time of {self.time} or later", f"one with {found}")
        if self.time is None and entry.time is not None:
            for record in self._issuers_before.values():
                self._nodes.set_issuer(record)
            self._issuers_before.clear()
        self.time = entry.time

    def _mark(self, entry: UnjudgedEntry) -> None:
        if entry.block <= self.block:
            raise _BrokenRuleError(
                f"an unjudged entry of a block after {self.block}", f"one of {entry.block}"
            )
        if entry.key is None:
            self._proposals_judged = False
            return
        self._marking.add(entry.key)
        self._changes.append(partial(self._nodes.set_mark, entry.key, entry.block, entry.transaction))

    def _is_marked(self, key: str) -> bool:
        return key in self._marking or self._nodes.marked(key)

    def _anchor(self, anchor: IssuanceAnchor, index: int, leaf: bytes) -> None:
        statement = anchor.statement
        batch_id = statement.batch_id
        if statement.ledger != self._ledger:
            raise _BrokenRuleError(f"a statement of ledger {self._ledger}", f"one of {statement.ledger}")
        before = self._batches.get(batch_id)
        if before is not None and not self._is_marked(anchor_key(batch_id)):
            raise _BrokenRuleError(
                "a batch that is anchored once",
                f"batch {batch_id.hex()} again, which entry {before.index} has anchored",
            )
        self._check_issuer(anchor, leaf)
        self._changes.append(partial(self._nodes.anchored, batch_id))
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
        if self._is_marked(issuer_key(anchor.statement.issuer)):
            return
        issuer = self._issuers.get(anchor.statement.issuer)
        if issuer is None:
            raise _BrokenRuleError("a registered issuer", f"{anchor.statement.issuer}, which is none")
        if issuer.state is not IssuerState.ACTIVE or issuer.sequence != anchor.issuer_sequence:
            raise _BrokenRuleError(
                f"an active issuer, judged by record {issuer.sequence}, its newest",
                f"{issuer.id}, which is {issuer.state}, judged by record {anchor.issuer_sequence}",
            )
        if not issuer.may_issue(anchor.statement.document_type):
            raise _BrokenRuleError(
                f"a type that {issuer.id} may issue",
                f"{anchor.statement.document_type}, which its record does not list",
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
        if batch is None and self._is_marked(anchor_key(record.batch_id)):
            self._changes.append(partial(self._nodes.set_status, record))
            return
        if batch is None:
            raise _BrokenRuleError(
                "a status of a batch that is anchored", f"one of batch {record.batch_id.hex()}, which is not"
            )
        target = (record.batch_id, record.commitment)
        if not self._is_marked(status_key(*target)):
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
        self._changes.append(partial(self._nodes.set_status, record))
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
        if not self._is_judged(record.id):
            due = record.sequence
        if record.sequence != due or proposal.proposal_id in self._proposed:
            raise _BrokenRuleError(
                f"a new proposal of record {due} of issuer {record.id}", f"one of record {record.sequence}"
            )
        self._proposed.add(proposal.proposal_id)
        self._proposals[proposal.proposal_id] = (record.id, record.sequence)

    def _vote(self, vote: IssuerVote) -> None:
        if not self._proposals_judged:
            return
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
        if self._is_judged(record.id):
            self._check_adopted(record)
        self._issuers[record.id] = record
        self._proposals.pop(proposal_id(record), None)
        self._changes.append(partial(self._stand, record))

    def _stand(self, record: IssuerRecord) -> None:
        """Set an issuer's place in the status tree, which it has since version 2 of the rules."""
        if self.time is None:
            self._issuers_before[record.id] = record
        else:
            self._nodes.set_issuer(record)

    def _is_judged(self, issuer: str) -> bool:
        """Say whether an issuer's proposals and record can be judged by what was before."""
        return self._proposals_judged and not self._is_marked(issuer_key(issuer))

    def _check_adopted(self, record: IssuerRecord) -> None:
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

    def _check_keys_kept(self, present: IssuerRecord | None, record: IssuerRecord) -> None:
        kept = {(key.use, key.key_id, key.not_before) for key in record.keys}
        for key in () if present is None else present.keys:
            if (key.use, key.key_id, key.not_before) not in kept:
                raise _BrokenRuleError(
                    f"a record of {record.id} that keeps {key.use} key {key.key_id.hex()}", "one without it"
                )
