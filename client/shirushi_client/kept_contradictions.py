"""Signed heads that contradict a quorum's, kept as proof against who signed them: a few for each member, whatever it invents."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from shirushi_client.whole_files import write_whole
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.checkpoint import Checkpoint

if TYPE_CHECKING:
    from shirushi_client.head_gathering import Contradiction

FOLDER = "contradictions"
MAX_KEPT = 8
"""Heads kept for each member: one is proof enough, and a liar can sign any number."""


def keep_contradictions(data: Path, found: Iterable[Contradiction]) -> list[Path]:
    """Write signed heads into a data folder, those that are not there yet, and return their files; raises OSError.

    A file is canonical JSON, {"member", "sentence", "theirs": note}, readable by its owner only.
    """
    folder, written = data / FOLDER, []
    for each in found:
        checkpoint = Checkpoint.from_text(each.theirs.text)
        path = folder / f"{each.member_id}-{checkpoint.size}-{checkpoint.root.hex()[:16]}.json"
        kept = [one for one in folder.glob("*.json") if one.name.rsplit("-", 2)[0] == each.member_id]
        if path in kept or len(kept) >= MAX_KEPT:
            continue
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        document = {"member": each.member_id, "sentence": each.sentence, "theirs": each.theirs.to_text()}
        write_whole(path, encode(document), mode=0o600)
        written.append(path)
    return written
