"""Odd certificates, encodings, endorsements and config updates of one member, judged by real Fabric, by the embedded ledger, and
derived by witnesses.

More of them: SHIRUSHI_CASES=10000 says how many in all, SHIRUSHI_SEEDS=50000 from which seed on, SHIRUSHI_REPORT names a file for
what came of it. Every case is made again by its kind and seed (docs/fuzzing.md).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fabric.fuzzing.arena import Arena, Tally, written
from tests.fabric.fuzzing.cases import certificate_case
from tests.fabric.fuzzing.endorsement_sets import endorsement_case
from tests.fabric.fuzzing.envelopes import envelope_case
from tests.fabric.fuzzing.updates import judge_updates

CASES = int(os.environ.get("SHIRUSHI_CASES", "1000"))
FIRST = int(os.environ.get("SHIRUSHI_SEEDS", "0").split()[0])
REPORT = os.environ.get("SHIRUSHI_REPORT", "")
SHARES = {"certificates": 50, "envelopes": 35, "endorsements": 12, "updates": 3}
"""Of a hundred cases, how many are of a kind."""

TOGETHER = 150
SHOWN = 20

pytestmark = pytest.mark.timeout(300 + CASES // 5)


def seeds(kind: str) -> Iterator[range]:
    """Yield the seeds of a kind of case, some at a time."""
    end = FIRST + CASES * SHARES[kind] // 100
    for start in range(FIRST, end, TOGETHER):
        yield range(start, min(end, start + TOGETHER))


def settle(kind: str, tally: Tally) -> None:
    """Fail if anything was judged in two ways; keep what came of it, if that is asked for."""
    if REPORT:
        path = Path(REPORT)
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**known, f"{kind} from {FIRST}": tally.to_json()}, indent=1))
    assert not tally.differences, "\n".join(tally.differences[:SHOWN])
    assert tally.cases


def test_odd_certificates_are_judged_alike(arena: Arena) -> None:
    tally = Tally()
    for some in seeds("certificates"):
        cases = [certificate_case(seed, arena.issuer, arena.member.msp_id) for seed in some]
        plans = [written(each.name, "peer1", "peer3", each.name) for each in cases]
        plans += [
            written(f"creator: {each.name}", "peer1", "peer3", "peer4", creator=each.name)
            for each in cases
            if each.role != "orderer"
        ]
        arena.judge(plans, {each.name: each.holder for each in cases}, tally)
    settle("certificates", tally)


def test_odd_encodings_are_judged_alike(arena: Arena) -> None:
    tally = Tally()
    for some in seeds("envelopes"):
        envelopes = []
        for seed in some:
            case = envelope_case(seed)
            arena.made += 1
            envelopes.append((case.name, case.build(arena.made, arena.cast, arena.channel)))
        arena.judge_envelopes(envelopes, tally)
    settle("envelopes", tally)


def test_odd_sets_of_endorsements_are_judged_alike(arena: Arena) -> None:
    tally = Tally()
    for some in seeds("endorsements"):
        cases = [endorsement_case(seed) for seed in some]
        arena.judge([written(each.name, *each.endorsers) for each in cases], {}, tally)
    settle("endorsements", tally)


def test_one_members_odd_updates_are_judged_alike_and_hinder_nobody(arena: Arena) -> None:
    tally = Tally()
    for some in seeds("updates"):
        judge_updates(arena, some, tally)
    settle("updates", tally)
    assert tally.said["taken"]


def test_two_witnesses_derive_the_same_log_from_all_of_it(arena: Arena, tmp_path: Path) -> None:
    tally = Tally(cases=1)
    entries = arena.derive(tmp_path, tally)
    settle("derivation", tally)
    assert entries
