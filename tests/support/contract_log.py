"""A log of what the real contract makes: transactions on the contract's ledger in memory, a block for each call of `add`."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from tests.support.anchors_ledger import MEMBERS, START, Consortium, IssuingParty, Outcome
from tests.support.paper_log import PaperLog

from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.log_entry import Content, StatusEntry, entry_bytes, read_content
from shirushi_core.proofs.replay import Replay
from shirushi_core.proofs.status import StatusRecord
from shirushi_core.proofs.status_slots import StatusSlots


class ContractLog(PaperLog):
    """The log, the ledger that it is of, and the city that issues on it."""

    consortium: Consortium
    city: IssuingParty

    def add(self, *outcomes: Outcome) -> None:
        """Log a block with these transactions."""
        self.block += 1
        for outcome in outcomes:
            self.entries += [entry_bytes(entry) for entry in outcome.entries]
            for entry in outcome.entries:
                self._set(read_content(entry))
        time = self.time if self.rules >= 2 else None
        self.entries.append(StatusEntry(self.block, self.status_root, time).to_bytes())
        self.roots[len(self.entries)] = self.status_root

    def _set(self, content: Content) -> None:
        match content:
            case IssuanceAnchor():
                self.slots.anchored(content.statement.batch_id)
                self.time = max(self.time, content.anchored_at)
            case StatusRecord():
                self.slots.set_status(content)
                self.time = max(self.time, content.changed_at)
            case IssuerRecord() if self.rules >= 2:
                self.slots.set_issuer(content)

    async def issue(self, *document_types: str, size: int = 3) -> None:
        """Log a block with a batch for each document type."""
        submit = self.consortium.ledger.submit
        self.add(
            *[
                await submit(self.city.submitter, "issue", self.city.issuance(size, document_type=each))
                for each in document_types
            ]
        )

    async def issue_batches(self, *names: str) -> None:
        """Log a block with a small batch for each name: many batches of one document type."""
        submit = self.consortium.ledger.submit
        self.add(
            *[
                await submit(
                    self.city.submitter, "issue", self.city.issuance(3, root=sha256(each.encode()).digest())
                )
                for each in names
            ]
        )

    async def change(self, change_id: str, *changes: dict[str, Any]) -> None:
        """Log a block with changes of status."""
        request = self.city.request(*changes, change_id=change_id)
        self.add(await self.consortium.ledger.submit(self.city.submitter, "set_status", request))

    def copy(self) -> ContractLog:
        """Return a log with the same entries, for a member that goes another way."""
        made = ContractLog(rules=self.rules)
        made.consortium, made.city = self.consortium, self.city
        made.entries, made.roots = list(self.entries), dict(self.roots)
        made.block, made.time = self.block, self.time
        made.nodes.update(self.nodes)
        made.slots = StatusSlots(made.nodes, self.status_root)
        return made

    def but(self, index: int, entry: bytes | None) -> ContractLog:
        """Return a log in which one entry is another, or missing; heads stay where they were."""
        made = self.copy()
        made.entries[index : index + 1] = [] if entry is None else [entry]
        return made


async def found_log() -> ContractLog:
    """Found a log: the city is registered by three members' votes, a block for each."""
    log = ContractLog()
    log.consortium = Consortium()
    log.city = log.consortium.issuing_party("iizuka-city", "IizukaMSP")
    submit, admins = log.consortium.ledger.submit, log.consortium.admins
    proposed = await submit(admins[MEMBERS[0]], "propose_issuer", {"record": log.city.record.to_json()})
    log.add(proposed)
    reference = {"proposal_id": proposed.result["proposal_id"]}
    for msp_id in MEMBERS[1:3]:
        log.add(await submit(admins[msp_id], "approve_issuer", reference))
    return log


async def lively_log() -> ContractLog:
    """A log with everything in it: batches, a suspension and a reinstatement, a revoked batch, a successor, a second record."""
    log = await found_log()
    city = log.city
    await log.issue("income-certificate", "tax-certificate")
    await log.issue("income-certificate", size=4)
    await log.change("one", city.change(0, status="suspended"), city.change(1))
    await log.change("two", city.change(0, status="valid", reason="investigation_closed"))
    successor = {
        "batch_id": city.statement(4).batch_id.hex(),
        "commitment": city.commitments(4)[0].hex(),
    }
    await log.change("three", city.change(2, status="superseded", successor=successor))
    await log.change("four", city.change(None, 4, effective_at=START))
    return log


def replayed(entries: Sequence[bytes], ledger: str = "shirushi-test") -> Replay:
    """Feed entries to a replay, which fails where they do not hold."""
    replay = Replay(ledger)
    for entry in entries:
        replay.feed(entry)
    return replay
