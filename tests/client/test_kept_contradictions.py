"""What a liar signed is kept, and no liar fills a disk."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.paper_log import BEGIN, KEYS, LEDGER

from shirushi_client.head_gathering import Contradiction
from shirushi_client.kept_contradictions import MAX_KEPT, keep_contradictions
from shirushi_core.proofs.checkpoint import Checkpoint, origin_of


def found(number: int, member: str = "haw") -> Contradiction:
    checkpoint = Checkpoint(origin_of(LEDGER), number + 1, bytes(32))
    return Contradiction(member, "it signed another head", KEYS[member].signatures(checkpoint, BEGIN))


def test_the_signed_head_is_kept_once_for_its_owner_only(tmp_path: Path) -> None:
    (path,) = keep_contradictions(tmp_path, [found(0)])
    assert json.loads(path.read_bytes())["theirs"] == found(0).theirs.to_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert keep_contradictions(tmp_path, [found(0)]) == []


def test_of_each_member_only_a_few_are_kept(tmp_path: Path) -> None:
    assert len(keep_contradictions(tmp_path, map(found, range(100)))) == MAX_KEPT
    assert keep_contradictions(tmp_path, [found(200)]) == []
    assert len(keep_contradictions(tmp_path, [found(1, "iizuka")])) == 1
