"""What a witness signs, when it may, and what its three signature lines are.

A cosignature says: this is the largest head of the log that I have seen. So a witness never signs an older head after a newer
one, nor one that does not extend what it has signed; and what it ever signed, also before it lost its folder or was set
back to an old backup, it learns from the other witnesses before it signs anything.

Source: C2SP tlog-cosignature, tlog-checkpoint; docs/formats/checkpoint.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shirushi_core.proofs.checkpoint import Checkpoint, cosign, sign_as_log
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.quorum import SECONDS, sign_share
from shirushi_node.witness.records import Head
from shirushi_node.witness.settings import WitnessKeys
from shirushi_node.witness.signed_heads import SignedHead

MAX_SECONDS_AFTER = 600
"""How long after the time of its head a witness still signs it: with less than that a peer would have had a tick."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is signed: until the log has grown, or for good."""

    sentence: str
    for_good: bool = False


def judge(known: Checkpoint, size: int, root_at: Callable[[int], bytes]) -> Refusal | None:
    """Return why a log of some size may not be signed, given a head that was signed before; None if it extends it."""
    if size < known.size:
        return Refusal(
            f"its log has {size} entries, and it has signed a head of {known.size} before; "
            "it signs again once it has caught up"
        )
    root = root_at(known.size)
    if root == known.root:
        return None
    return Refusal(
        f"it has signed a head of {known.size} entries with the root {known.root.hex()}, and its log has the root "
        f"{root.hex()} there; it never signs again until the members have found out which is right",
        for_good=True,
    )


def too_old(head: Head, time: int) -> Refusal | None:
    """Return why a head may not be signed at a time (unix s): it is so old that its peer is cut off. None if it may.

    Heads by version 1 of the rules have no time, and are never too old.
    """
    if head.time is None or time <= head.time + MAX_SECONDS_AFTER:
        return None
    return Refusal(
        f"its newest head is of {(time - head.time) // SECONDS} minutes ago by the ledger's time: its peer gets no blocks with "
        "ticks, so it is cut off from the orderers, or this clock is fast; it signs again once a tick has come"
    )


def heads_to_sign(
    heads: Sequence[Head], newest: SignedHead | None, largest_before: int, time: int
) -> list[Head]:
    """Return the heads, in order, that are newer than the newest signed one, or that one in a later minute.

    `largest_before` is the size of the largest head that this witness is known to have signed, wherever: none below is.
    """
    size = 0 if newest is None else newest.checkpoint.size
    later = newest is not None and time // SECONDS > newest.time // SECONDS
    due = [head for head in heads if head.size > size or (head.size == size and later)]
    return [head for head in due if head.size >= largest_before]


def sign_head(checkpoint: Checkpoint, keys: WitnessKeys, name: str, time: int) -> SignedHead:
    """Sign a head as the log, as a cosigner, and for quorum certificates of this minute; `name` is the cosigner's."""
    lines = (
        sign_as_log(checkpoint, keys.log),
        cosign(checkpoint, name, keys.cosigner, time),
        sign_share(checkpoint, name, keys.bls, time // SECONDS),
    )
    return SignedHead(SignedNote(checkpoint.to_text(), lines), time)


def log_note(checkpoint: Checkpoint, keys: WitnessKeys) -> SignedNote:
    """Sign a checkpoint as the log only: that it was a head, not that it is the largest one seen."""
    return SignedNote(checkpoint.to_text(), (sign_as_log(checkpoint, keys.log),))
