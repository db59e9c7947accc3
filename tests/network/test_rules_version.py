"""The version of the rules on the embedded ledger: of new ledgers, of those from before there were versions, and the switch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.command import shirushi
from tests.support.live_consortium import LiveConsortium

from shirushi_network import bring_up
from shirushi_network.layout import Layout
from shirushi_network.ports import with_ports
from shirushi_network.topology import AnchorsDefinition, default_topology
from shirushi_network.topology_file import read_topology, write_topology


@pytest.fixture
def earlier(tmp_path: Path) -> Iterator[LiveConsortium]:
    """A consortium whose topology is from before there were versions of the rules."""
    live = LiveConsortium(Layout(tmp_path / "consortium"))
    topology = replace(with_ports(default_topology(), 0), anchors=AnchorsDefinition("1.0"))
    bring_up.up(live.layout, base_port=0, progress=lambda _: None, topology=topology)
    yield live
    bring_up.down(live.layout)


def issue(live: LiveConsortium, name: str) -> None:
    file = live.root / f"{name}.txt"
    file.write_text(name)
    done = shirushi("issue", file, "--type", "residence", "--json", data=live.root)
    assert done.exit_code == 0, done.err


def times(live: LiveConsortium) -> list[int | None]:
    """The times in the status entries of the log, by blocks of one's own peer."""
    import asyncio
    from contextlib import nullcontext
    from types import SimpleNamespace

    from shirushi_core.fabric.committed import read_block
    from shirushi_core.proofs.log_entry import StatusEntry, read_entry
    from shirushi_network.audit_blocks import derive_from_blocks, peer_access
    from shirushi_node.witness.store import LogStore

    topology = read_topology(live.layout.topology)
    member = topology.members[0]
    folder = live.root / f"derived-{len(list(live.root.glob('derived-*')))}"
    genesis = live.layout.genesis.read_bytes()

    def watch(total: int) -> object:
        return nullcontext(SimpleNamespace(advance=lambda _: None))

    derived = asyncio.run(
        derive_from_blocks(member, peer_access(live.layout, topology, member), genesis, folder, watch)  # type: ignore[arg-type]
    )
    assert derived.findings == ()
    store = LogStore.open(folder, read_block(genesis))
    try:
        entries = [read_entry(store.entry(index)) for index in range(store.size)]
    finally:
        store.close()
    return [entry.time for entry in entries if isinstance(entry, StatusEntry)]


def test_an_earlier_ledger_keeps_version_1_until_its_topology_says_2(earlier: LiveConsortium) -> None:
    issue(earlier, "before")
    before = times(earlier)
    assert set(before) == {None}
    bring_up.down(earlier.layout)
    topology = read_topology(earlier.layout.topology)
    write_topology(earlier.layout.topology, replace(topology, anchors=AnchorsDefinition("2.0", 2)))
    said: list[str] = []
    bring_up.up(earlier.layout, base_port=None, progress=said.append)
    assert "committed anchors 2.0, sequence 2" in said
    issue(earlier, "after")
    after = times(earlier)
    assert after[: len(before)] == before
    assert None not in after[len(before) :]
    assert len(after) > len(before)


def test_coming_up_again_commits_nothing(earlier: LiveConsortium) -> None:
    height = bring_up.status(earlier.layout)["height"]
    bring_up.down(earlier.layout)
    said: list[str] = []
    bring_up.up(earlier.layout, base_port=None, progress=said.append)
    assert bring_up.status(earlier.layout)["height"] == height
    assert not [each for each in said if each.startswith("committed")]
