"""Whether what a valid transaction wrote to the contract's state, and its event, is what the contract makes: by bytes alone.

docs/formats/derivation.md defines it. Nothing here depends on the state before; what does is in log_writer.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.committed import CommittedTransaction
from shirushi_core.proofs import fields
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.canonical import Json, decode_canonical, encode
from shirushi_core.proofs.epoch import epoch_of, tick_key
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.issuer_proposal import IssuerProposal, IssuerVote, LoggedState, proposal_id
from shirushi_core.proofs.log_entry import Content, entry_bytes, read_content, read_event
from shirushi_core.proofs.status import StatusRecord
from shirushi_core.proofs.unjudged import anchor_key, find_slot, issuer_key, status_key
from shirushi_node.witness.rules import CHAINCODE, WITHOUT_TIME

EVENT = "anchors"
MAX_VALUE_BYTES = 4 << 20
"""The largest value that the contract writes (docs/formats/contract.md)."""

_MARKER = b"\x00"
_CHANGE_KEY = re.compile(r"change/[a-z0-9][a-z0-9.-]{0,63}/([A-Za-z0-9-]{1,64})")
_CHANGE_FIELDS = frozenset({"request_sha256", "result"})


@dataclass(frozen=True, slots=True)
class Made:
    """What the contract made: entries with what they are about, and the time of a tick that it left.

    `number` counts transactions from the block's first; `keys` are the written keys that have a place in the status tree.
    """

    number: int
    keys: tuple[str, ...]
    entries: tuple[bytes, ...] = ()
    contents: tuple[Content, ...] = ()
    time: int | None = None


@dataclass(frozen=True, slots=True)
class Unjudged:
    """What the contract does not make, and why; `number` and `keys` as above."""

    number: int
    keys: tuple[str, ...]
    reason: str


def read_output(
    number: int, transaction: CommittedTransaction, ledger: str, rules: int
) -> Made | Unjudged | None:
    """Return what a valid transaction says about the contract's state; None if it is not about it."""
    found = transaction.in_namespace(CHAINCODE)
    event = transaction.event if transaction.chaincode == CHAINCODE else None
    if not found and event is None:
        return None
    touched = {key for writes in found for key in (*(key for key, _ in writes.writes), *writes.metadata)}
    keys = tuple(sorted(key for key in touched if find_slot(key) is not None))
    try:
        return _Reader(transaction, ledger, rules).read(number, keys)
    except InvalidInputError as error:
        return Unjudged(number, keys, str(error))


class _Reader:
    """Holds a transaction's event against what it wrote; every method raises InvalidInputError for what is not the contract's."""

    def __init__(self, transaction: CommittedTransaction, ledger: str, rules: int) -> None:
        self._transaction = transaction
        self._ledger = ledger
        self._rules = rules
        self._left = _writes(transaction)  # what no entry has accounted for yet

    def read(self, number: int, keys: tuple[str, ...]) -> Made:
        transaction = self._transaction
        if transaction.chaincode != CHAINCODE:
            raise InvalidInputError(f"chaincode {fields.describe(transaction.chaincode)} wrote to its state")
        if transaction.channel_id != self._ledger:
            raise InvalidInputError(f"it is of channel {fields.describe(transaction.channel_id)}")
        time = self._take_tick()
        entries, contents = [], []
        for entry in self._event():
            content = read_content(entry)
            self._take(content)
            entries.append(entry_bytes(entry))
            contents.append(content)
        self._take_change([each for each in contents if isinstance(each, StatusRecord)])
        if self._left:
            raise InvalidInputError(
                f"it writes {fields.describe(min(self._left))}, which its event does not tell"
            )
        if not entries and time is None:
            raise InvalidInputError("it writes nothing that is an entry or a tick")
        return Made(number, keys, tuple(entries), tuple(contents), time)

    def _event(self) -> list[Mapping[str, Json]]:
        event = self._transaction.event
        if event is None:
            return []
        if (event.chaincode, event.name, event.tx_id) != (CHAINCODE, EVENT, self._transaction.tx_id):
            raise InvalidInputError(f"expected its event {EVENT!r}, found {fields.describe(event.name)}")
        return read_event(event.payload)

    def _take_tick(self) -> int | None:
        """Take the tick of the transaction's own epoch; by version 1 of the rules there need be none."""
        seconds = fields.check_time(self._transaction.seconds, "transaction time")
        key = tick_key(epoch_of(seconds))
        if key not in self._left and self._rules == WITHOUT_TIME:
            return None
        self._require(key, encode(seconds))
        return seconds

    def _take(self, content: Content) -> None:
        match content:
            case IssuanceAnchor():
                self._take_anchor(content)
            case StatusRecord():
                self._require_own(content.tx_id, content.changed_at)
                self._require_json(status_key(content.batch_id, content.commitment), content.to_json())
            case IssuerRecord():
                self._take_issuer(content)
            case IssuerProposal():
                self._require_own(self._transaction.tx_id, content.proposed_at)
                self._require_json(_proposal_key(content.proposal_id), content.to_json())
            case IssuerVote():
                self._take_vote(content)

    def _take_anchor(self, anchor: IssuanceAnchor) -> None:
        statement = anchor.statement
        self._require_own(anchor.tx_id, anchor.anchored_at)
        if statement.ledger != self._ledger:
            raise InvalidInputError(f"the statement is of ledger {statement.ledger}")
        self._require_json(anchor_key(statement.batch_id), anchor.to_json())
        listed = f"issued/{statement.issuer}/{anchor.anchored_at:012d}/{statement.batch_id.hex()}"
        self._require(listed, _MARKER)

    def _take_issuer(self, record: IssuerRecord) -> None:
        """Take an adopted record, and its proposal, which becomes `adopted`, unless an entry before has told of it."""
        self._require_json(issuer_key(record.id), record.to_json())
        key = _proposal_key(proposal_id(record))
        value = self._left.pop(key, None)
        if value is None:
            return
        proposal = IssuerProposal.from_json(decode_canonical(value, max_bytes=MAX_VALUE_BYTES))
        if proposal.record != record or proposal.state is not LoggedState.ADOPTED:
            raise InvalidInputError(f"{key} is written, and not as adopted")

    def _take_vote(self, vote: IssuerVote) -> None:
        at = self._transaction.seconds
        self._require_own(vote.tx_id, at)
        key = f"approval/{vote.proposal_id.hex()}/{vote.msp_id}"
        if not vote.given:
            self._require(key, None)
            return
        self._require_json(key, {"approved_at": at, "msp_id": vote.msp_id, "tx_id": vote.tx_id})

    def _take_change(self, records: list[StatusRecord]) -> None:
        """Take the note of a status change, which holds its records again."""
        if not records:
            return
        ids = {record.change_id for record in records}
        keys = [key for key in self._left if (found := _CHANGE_KEY.fullmatch(key)) and {found[1]} == ids]
        if len(keys) != 1:
            raise InvalidInputError("it does not write the one note of its status changes")
        value = self._left.pop(keys[0])
        note = fields.an_object(
            decode_canonical(value or b"", max_bytes=MAX_VALUE_BYTES), "status change", _CHANGE_FIELDS
        )
        fields.hash_bytes(note["request_sha256"], "status change: request_sha256")
        expected: Json = {
            "change_id": records[0].change_id,
            "records": [record.to_json() for record in records],
        }
        if encode(note["result"]) != encode(expected):
            raise InvalidInputError("the note of its status changes has other records than its event")

    def _require_own(self, tx_id: str, time: int) -> None:
        if (tx_id, time) != (self._transaction.tx_id, self._transaction.seconds):
            raise InvalidInputError("its event names another transaction, or another time than its own")

    def _require_json(self, key: str, value: Json) -> None:
        self._require(key, encode(value))

    def _require(self, key: str, value: bytes | None) -> None:
        if key not in self._left or self._left.pop(key) != value:
            raise InvalidInputError(f"its event is about {key}, which it does not write so")


def _writes(transaction: CommittedTransaction) -> dict[str, bytes | None]:
    """Return what a transaction writes to the contract's state; raises InvalidInputError for what the contract never writes."""
    found: dict[str, bytes | None] = {}
    for writes in transaction.in_namespace(CHAINCODE):
        if writes.metadata or writes.private:
            raise InvalidInputError("it writes metadata or private data, which the contract does not have")
        for key, value in writes.writes:
            if key in found:
                raise InvalidInputError(f"it writes {fields.describe(key)} twice")
            found[key] = value
    return found


def _proposal_key(digest: bytes) -> str:
    return f"proposal/{digest.hex()}"
