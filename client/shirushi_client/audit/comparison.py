"""Logs held against each other: which are of one history, and where two part."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from shirushi_client.audit.findings import Code, Evidence, Finding, SourceKind
from shirushi_client.audit.log_reading import ReadLog
from shirushi_client.audit.signatures import read_signatures
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.tiles import TILE_WIDTH, unbundle
from shirushi_core.proofs.trust_policy import TrustPolicy


@dataclass(frozen=True, slots=True)
class Difference:
    """The first index at which two logs differ, and the entries there; None for one that could not be read again."""

    index: int
    one: bytes | None
    other: bytes | None


def last_agreement(one: ReadLog, other: ReadLog) -> tuple[int, int | None]:
    """Return the largest size at which two logs have the same head, and the smallest at which they differ, if they do.

    Logs of one content have heads at the same sizes, and logs that differ at a size differ at all larger ones: halving finds both.
    """
    both = min(one.read, other.read)
    sizes = sorted(size for size in one.roots.keys() | other.roots.keys() if size <= both)
    position = bisect_left(sizes, True, key=lambda size: one.roots.get(size) != other.roots.get(size))
    agreed = sizes[position - 1] if position else 0
    return agreed, sizes[position] if position < len(sizes) else None


def histories(logs: Sequence[ReadLog]) -> list[list[ReadLog]]:
    """Group logs that have the same heads wherever they can be compared; the group that others are held against first.

    That is the one with our own blocks, else the largest, else the first.
    """
    groups: list[list[ReadLog]] = []
    for log in logs:
        for group in groups:
            if all(last_agreement(log, each)[1] is None for each in group):
                group.append(log)
                break
        else:
            groups.append([log])
    return sorted(groups, key=lambda group: (not _has_blocks(group), -len(group)))


def longest(group: Sequence[ReadLog]) -> ReadLog:
    """Return the log of a group that goes furthest."""
    return max(group, key=lambda log: log.read)


async def compare(logs: Sequence[ReadLog], policy: TrustPolicy) -> tuple[list[list[ReadLog]], list[Finding]]:
    """Group logs by their histories, and say where each differs from the first group's."""
    groups = histories([log for log in logs if log.roots])
    findings = []
    for group in groups[1:]:
        for log in group:
            reference = next(each for each in groups[0] if last_agreement(log, each)[1] is not None)
            findings.append(await _differ(log, reference, policy))
    return groups, findings


async def _differ(log: ReadLog, reference: ReadLog, policy: TrustPolicy) -> Finding:
    difference = await first_difference(log, reference)
    size = min(log.read, reference.read)
    return Finding(
        Code.LOGS_DIFFER,
        log.name,
        difference.index,
        expected=_hex(reference.root_at(size)),
        found=_hex(log.root_at(size)),
        other=reference.name,
        evidence=(
            await signed_at(log, size, policy, difference.one),
            await signed_at(reference, size, policy, difference.other),
        ),
    )


async def first_difference(one: ReadLog, other: ReadLog) -> Difference:
    """Return the first entry that two logs with different heads do not share."""
    agreed, _ = last_agreement(one, other)
    number = agreed // TILE_WIDTH
    start = number * TILE_WIDTH
    entries, others = await _entries(one, number), await _entries(other, number)
    for offset in range(agreed - start, TILE_WIDTH):
        pair = [each[offset] if offset < len(each) else None for each in (entries, others)]
        if pair[0] != pair[1]:
            return Difference(start + offset, *pair)
    return Difference(agreed, None, None)  # what is served now is not what was served before


async def signed_at(log: ReadLog, size: int, policy: TrustPolicy, entry: bytes | None = None) -> Evidence:
    """Return what a log has signed at a size, or the newest it signed."""
    if log.head is None or log.head.checkpoint.size == size:
        return log.evidence(entry)
    try:
        note = await log.source.note(size)
        return Evidence(log.name, note, read_signatures(note, policy), entry)
    except ShirushiError:  # no head of that size there
        return log.evidence(entry)


async def _entries(log: ReadLog, number: int) -> list[bytes]:
    width = min(TILE_WIDTH, log.size - number * TILE_WIDTH)
    if width <= 0:
        return []
    try:
        return unbundle(await log.source.bundle(number, width))
    except ShirushiError:
        return []


def _has_blocks(group: Sequence[ReadLog]) -> bool:
    return any(log.name.kind is SourceKind.BLOCKS for log in group)


def _hex(root: bytes | None) -> str:
    return "" if root is None else root.hex()
