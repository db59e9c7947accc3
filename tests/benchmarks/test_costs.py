"""Where time goes is told by what was at work, and adds up to the processor time that was used."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from tests.support.command import shirushi

from shirushi_benchmarks.sampling import LOOP, Sampler, label_of, per_thing_us


def frame_in(*modules: str) -> FrameType:
    """Return a frame whose callers, from the outermost, are functions of these modules."""
    call: Callable[[], FrameType] = sys._getframe
    for module in reversed(modules):
        scope: dict[str, Any] = {"__name__": module, "call": call}
        exec("def work():\n    return call()\n", scope)
        call = scope["work"]
    return call()


@pytest.mark.parametrize(
    ("modules", "label"),
    [
        (("shirushi_node.ledger.gateway.endorse", "shirushi_core.fabric.signing"), "signatures"),
        (("shirushi_node.ledger.endorser", "google.protobuf.message"), "endorsing"),
        (("shirushi_benchmarks.load", "asyncio.base_events", "selectors"), LOOP),
        (("threading",), LOOP),
    ],
)
def test_a_sample_is_of_the_innermost_of_our_modules(modules: tuple[str, ...], label: str) -> None:
    assert label_of(frame_in(*modules)) == label


def test_samples_add_up_to_the_time_that_was_used() -> None:
    sampler = Sampler()
    sampler.start()
    began = time.thread_time()
    while time.thread_time() - began < 0.3:
        pass
    used = sampler.stop()
    assert sum(used.values()) == pytest.approx(0.3, rel=0.5)


def test_costs_are_told_for_each_thing_the_largest_first() -> None:
    assert list(per_thing_us({"a": 0.1, "b": 0.3}, 1000).items()) == [("b", 300.0), ("a", 100.0)]


def test_the_steps_of_a_document_and_of_a_transaction_are_measured() -> None:
    run = shirushi("bench", "costs", "--short", "--transactions", "60", "--batch", "64", "--json")
    assert run.exit_code == 0
    document, node, client = run.json["measurements"]
    assert document["count"] == 5 * 64
    assert {"reading and hashing", "writing down in the journal"} <= document["stages"].keys()
    assert (node["parameters"]["process"], client["parameters"]["process"]) == ("node", "client")
    for each in (node, client):
        assert (each["count"], each["failures"]) == (60, 0)
        assert sum(each["stages"].values()) > 100, "µs of a transaction"
