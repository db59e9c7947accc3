"""Blocks into the log: what depends on the log before is decided here, and everything is put into one lmdb transaction.

docs/formats/derivation.md defines what is decided. It depends on the entries before, those of the same block included, and on the
status tree's marks: on nothing that one witness has and another has not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.canonical import decode_canonical, encode
from shirushi_core.proofs.growth import Growth
from shirushi_core.proofs.issuer import IssuerRecord, IssuerState, KeyUse
from shirushi_core.proofs.log_entry import Content, UnjudgedEntry
from shirushi_core.proofs.status import StatusRecord
from shirushi_core.proofs.status_slots import StatusSlots
from shirushi_core.proofs.unjudged import anchor_key
from shirushi_core.proofs.unjudged import issuer_key as ledger_key_of_issuer
from shirushi_node.witness.contract_output import Made, Unjudged
from shirushi_node.witness.derivation import Derived
from shirushi_node.witness.records import Head, encode_head, encode_numbers, issuer_key
from shirushi_node.witness.rules import WITH_TIME
from shirushi_node.witness.status_nodes import BlockNodes

MAX_RECORD_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class LogState:
    """What the log's next block depends on besides its entries: the rules' number, the log's time, the status root."""

    rules: int
    time: int | None
    status_root: bytes


@dataclass(frozen=True, slots=True)
class NotJudged:
    """A transaction that was found not to be the contract's, and why."""

    block: int
    transaction: int
    reason: str


class LogWriter:
    """Puts blocks into one lmdb transaction, and their entries into the growing log; `tables` are lmdb's handles by name."""

    def __init__(self, transaction: Any, tables: dict[str, Any], growth: Growth, state: LogState) -> None:
        self._transaction = transaction
        self._handles = tables
        self._growth = growth
        self.state = state
        self.unjudged: list[NotJudged] = []
        self._has_marks = transaction.stat(tables["marks"])["entries"] > 0

    def get(self, table: str, key: bytes) -> bytes | None:
        value: bytes | None = self._transaction.get(key, db=self._handles[table])
        return value

    def put(self, table: str, key: bytes, value: bytes) -> None:
        self._transaction.put(key, value, db=self._handles[table])

    def add(self, derived: Derived) -> Head | None:
        """Add a block; returns the head it makes, None if it carries neither entries nor ticks."""
        rules, time = derived.rules.number or 0, self.state.time
        block = _BlockWriter(self, derived.block, rules, self._growth.size)
        if rules >= WITH_TIME and self.state.rules < WITH_TIME:
            time = 0
            for record in self._newest_issuers():
                block.slots.set_issuer(record)
        for output in derived.outputs:
            reason = output.reason if isinstance(output, Unjudged) else block.refusal(output)
            if reason is None:
                assert isinstance(output, Made)  # noqa: S101 - others have a reason
                block.take(output)
            else:
                block.mark(output)
                self.unjudged.append(NotJudged(derived.block, output.number, reason))
        time = max((time or 0, *block.times)) if rules >= WITH_TIME else None
        for node, data in block.nodes.reachable(block.slots.root):
            self.put("nodes", node, data)
        self.state = LogState(rules, time, block.slots.root)
        if not block.entries and (time is None or not block.times):
            return None
        return self._end(block, time)

    def _end(self, block: _BlockWriter, time: int | None) -> Head:
        for entry in block.entries:
            self._growth.append(entry)
        size = self._growth.size + 1
        status_root = self.state.status_root
        self._growth.append(Head(size, b"", block.number, status_root, time).status_entry.to_bytes())
        head = Head(size, self._growth.root(), block.number, status_root, time)
        self.put("heads", encode_numbers(size), encode_head(head))
        for batch_id, index in block.batches.items():
            self.put("batches", batch_id, encode_numbers(index, size))
        for key, index in block.issuers.items():
            self.put("issuers", key, encode_numbers(index, size))
        return head

    @property
    def has_marks(self) -> bool:
        """Whether there ever was a mark: without one nobody needs to look."""
        return bool(self._has_marks)

    def note_mark(self) -> None:
        """Take note that there is a mark now."""
        self._has_marks = True

    def newest_issuer(self, issuer: str) -> IssuerRecord | None:
        """Return an issuer's newest good record."""
        data = self.get("standing", issuer.encode())
        return None if data is None else read_issuer(data)

    def _newest_issuers(self) -> Iterator[IssuerRecord]:
        with self._transaction.cursor(self._handles["standing"]) as cursor:
            for _, data in cursor:
                yield read_issuer(bytes(data))


class _BlockWriter:
    """One block on its way into the log."""

    def __init__(self, log: LogWriter, number: int, rules: int, first: int) -> None:
        self._log = log
        self._rules = rules
        self._first = first
        self.number = number
        self.nodes = BlockNodes(log)
        self.slots = StatusSlots(self.nodes, log.state.status_root)
        self.entries: list[bytes] = []
        self.times: list[int] = []
        self.batches: dict[bytes, int] = {}
        self.issuers: dict[bytes, int] = {}

    def refusal(self, output: Made) -> str | None:
        """Say why the contract cannot have made this after what the log has; None if it can."""
        for content in output.contents:
            reason = None
            if isinstance(content, IssuanceAnchor):
                reason = self._against_anchor(content)
            elif isinstance(content, IssuerRecord):
                reason = self._against_record(content)
            if reason is not None:
                return reason
        return None

    def take(self, output: Made) -> None:
        """Log what the contract made."""
        for entry, content in zip(output.entries, output.contents, strict=True):
            self._take(content, self._first + len(self.entries))
            self.entries.append(entry)
        if output.time is not None:
            self.times.append(output.time)

    def mark(self, output: Made | Unjudged) -> None:
        """Log that a transaction is not the contract's, and mark what it wrote."""
        for key in output.keys or (None,):
            self.entries.append(UnjudgedEntry(self.number, output.number, key).to_bytes())
            if key is not None:
                self.slots.mark(key, self.number, output.number)
                self._log.note_mark()

    def _take(self, content: Content, index: int) -> None:
        match content:
            case IssuanceAnchor():
                batch_id = content.statement.batch_id
                self.batches[batch_id] = index
                if self._log.has_marks:
                    self.slots.anchored(batch_id)
            case StatusRecord():
                self.slots.set_status(content)
            case IssuerRecord():
                self.issuers[issuer_key(content.id, content.sequence)] = index
                self._log.put("standing", content.id.encode(), encode(content.to_json()))
                if self._rules >= WITH_TIME:
                    self.slots.set_issuer(content)

    def _against_anchor(self, anchor: IssuanceAnchor) -> str | None:
        statement = anchor.statement
        batch_id = statement.batch_id
        is_known = batch_id in self.batches or self._log.get("batches", batch_id) is not None
        if is_known and not self._is_marked(anchor_key(batch_id)):
            return f"batch {batch_id.hex()} is anchored a second time"
        if self._is_marked(ledger_key_of_issuer(statement.issuer)):
            return None
        issuer = self._log.newest_issuer(statement.issuer)
        if issuer is None:
            return f"issuer {statement.issuer} is not registered"
        if issuer.state is not IssuerState.ACTIVE or issuer.sequence != anchor.issuer_sequence:
            return f"issuer {issuer.id} is {issuer.state} by record {issuer.sequence}, its newest"
        if not issuer.may_issue(statement.document_type):
            return f"the newest record of {issuer.id} does not list {statement.document_type}"
        if issuer.key_at(KeyUse.SEAL, anchor.seal.key_id, anchor.anchored_at) is None:
            return f"{issuer.id} has no seal key {anchor.seal.key_id.hex()} at {anchor.anchored_at}"
        return None

    def _against_record(self, record: IssuerRecord) -> str | None:
        if self._is_marked(ledger_key_of_issuer(record.id)):
            return None
        newest = self._log.newest_issuer(record.id)
        due = 1 if newest is None else newest.sequence + 1
        return (
            None
            if record.sequence == due
            else f"record {due} of issuer {record.id} is due, not {record.sequence}"
        )

    def _is_marked(self, key: str) -> bool:
        return self._log.has_marks and self.slots.marked(key)


# Every issuance is held against one of few records, and parsing their keys is what takes long.
@lru_cache(maxsize=256)
def read_issuer(data: bytes) -> IssuerRecord:
    """Parse an issuer's record as the store has it."""
    return IssuerRecord.from_json(decode_canonical(data, max_bytes=MAX_RECORD_BYTES))
