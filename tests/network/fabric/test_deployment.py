"""Committing a definition while another member commits it too: on real nodes the race cannot be staged at will."""

from __future__ import annotations

from pathlib import Path

import pytest

from shirushi_core.fabric.lifecycle import definition
from shirushi_network.fabric import deployment
from shirushi_network.fabric.deployment import DeploymentError, commit
from shirushi_network.layout import Layout
from shirushi_network.topology import Topology, default_topology

WANTED = definition("anchors", "1.0", 1, None)


class OtherCommitsFirst:
    """A peer that learns `late` polls after its refusal that the definition is committed."""

    def __init__(self, topology: Topology, late: int) -> None:
        self.agreed = {member.msp_id: True for member in topology.members}
        self.late = late
        self.refused = False

    async def submit(self, *_: object) -> None:
        self.refused = True
        raise DeploymentError("requested sequence is 1, but new definition must be sequence 2")

    async def approvals(self, *_: object) -> dict[str, bool] | None:
        if self.refused:
            self.late -= 1
        return self.agreed if self.late >= 0 else None


async def commit_with(late: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    topology = default_topology()
    peer = OtherCommitsFirst(topology, late)
    monkeypatch.setattr(deployment, "_submit", peer.submit)
    monkeypatch.setattr(deployment, "approvals", peer.approvals)
    monkeypatch.setattr(deployment, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(deployment, "SETTLING_SECONDS", 0.2)
    await commit(Layout(tmp_path), topology, topology.members[0], WANTED)


async def test_a_commit_refused_because_another_member_was_first_waits_for_ones_own_peer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await commit_with(3, monkeypatch, tmp_path)


async def test_a_commit_refused_for_another_reason_stays_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(DeploymentError, match="must be sequence 2"):
        await commit_with(10**9, monkeypatch, tmp_path)
