"""What the log has anchored, held against what an issuer believes it issued."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shirushi_client.audit.findings import Code, Finding
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.replay import AnchoredBatch


@dataclass(frozen=True, slots=True)
class ListedBatch:
    """A batch on the issuer's list; `count` is how many certificates it has, and `issuer` whose it is, None if the list does not say.

    `is_certain` is False for one that was prepared and may not have been anchored yet.
    """

    count: int | None = None
    issuer: str | None = None
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Batches by their ids: on both sides alike, on one only, and with differing counts (listed, anchored)."""

    name: str
    matched: int
    anchored_not_listed: tuple[bytes, ...]
    listed_not_anchored: tuple[bytes, ...]
    differing: Mapping[bytes, tuple[int, int]]
    anchored: Mapping[bytes, AnchoredBatch]

    def findings(self) -> Iterator[Finding]:
        """Yield a finding for each batch that is not alike on both sides."""
        for batch_id in self.anchored_not_listed:
            yield Finding(Code.ANCHORED_NOT_LISTED, index=self.anchored[batch_id].index, found=batch_id.hex())
        for batch_id, (listed, anchored) in self.differing.items():
            yield Finding(
                Code.COUNT_DIFFERS,
                index=self.anchored[batch_id].index,
                expected=f"{listed} ({batch_id.hex()})",
                found=str(anchored),
            )
        for batch_id in self.listed_not_anchored:
            yield Finding(Code.LISTED_NOT_ANCHORED, expected=batch_id.hex())

    def to_json(self) -> dict[str, Json]:
        """Return {"anchored_not_listed": [hex], "differing": [{...}], "list": name, "listed_not_anchored": [hex], "matched": int}."""
        return {
            "anchored_not_listed": [each.hex() for each in self.anchored_not_listed],
            "differing": [
                {"anchored": anchored, "batch_id": batch_id.hex(), "listed": listed}
                for batch_id, (listed, anchored) in self.differing.items()
            ],
            "list": self.name,
            "listed_not_anchored": [each.hex() for each in self.listed_not_anchored],
            "matched": self.matched,
        }


def reconcile(
    name: str,
    listed: Mapping[bytes, ListedBatch],
    anchored: Mapping[bytes, AnchoredBatch],
    issuer: str | None = None,
) -> Reconciliation:
    """Compare a list with the anchored batches of `issuer`, else of the issuers that the list names, else of all."""
    whose = {batch.issuer for batch in listed.values() if batch.issuer is not None}
    if issuer is not None:
        whose = {issuer}
    theirs = {key: batch for key, batch in anchored.items() if not whose or batch.issuer in whose}
    differing = {
        key: (batch.count, theirs[key].size)
        for key, batch in listed.items()
        if key in theirs and batch.count is not None and batch.count != theirs[key].size
    }
    return Reconciliation(
        name=name,
        matched=len(theirs.keys() & listed.keys()) - len(differing),
        anchored_not_listed=tuple(key for key in theirs if key not in listed),
        listed_not_anchored=tuple(
            key for key, batch in listed.items() if key not in theirs and batch.is_certain
        ),
        differing=differing,
        anchored=theirs,
    )
