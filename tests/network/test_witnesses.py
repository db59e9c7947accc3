"""The witnesses of an embedded consortium: they run with it, sign one log, and the trust policy names their keys."""

from __future__ import annotations

import json
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import shirushi
from tests.support.live_consortium import LiveConsortium

from shirushi_client.consortium import load_consortium
from shirushi_core.proofs.confirmation import HeadVerifier
from shirushi_core.proofs.log_evidence import Head
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.policy_update import SignedPolicy
from shirushi_core.proofs.trust_policy import KeyUse, TrustPolicy
from shirushi_network.layout import Layout
from shirushi_network.ports import with_ports
from shirushi_network.topology import default_topology
from shirushi_network.topology_file import write_topology
from shirushi_network.witness_status import WitnessSilentError, ask_witness, witness_problems

PATIENCE = 20.0


def fetch(data: Path, member_id: str, path: str) -> bytes:
    """GET from a member's witness, as the connection file says where it is and which root it has."""
    witness = load_consortium(data).member(member_id).witness
    assert witness is not None
    context = ssl.create_default_context(cafile=witness.tls_root)
    with urllib.request.urlopen(f"{witness.url}{path}", context=context, timeout=10) as answer:
        return bytes(answer.read())


def note_of(data: Path, member_id: str) -> SignedNote:
    return SignedNote.from_bytes(fetch(data, member_id, "/checkpoint"))


def policy_of(data: Path) -> TrustPolicy:
    return SignedPolicy.from_bytes(Layout(data).trust_policy.read_bytes()).policy


def wait_until(so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < deadline, f"waited {PATIENCE} s in vain for {what}"
        time.sleep(0.05)


def issue(data: Path, certificate: Path) -> None:
    certificate.write_text(certificate.name)
    assert shirushi("issue", certificate, "--type", "witnessed", data=data).exit_code == 0


def witnesses(live: LiveConsortium) -> dict[str, dict[str, Any]]:
    return {member["id"]: member["witness"] for member in live.status()["members"]}


def signing(live: LiveConsortium) -> set[str]:
    """The members whose witnesses sign, and have all that their peers have."""
    return {
        name
        for name, each in witnesses(live).items()
        if each["running"] and each["refusing"] is None and each["lag"] == 0
    }


@pytest.fixture
def live(live_consortium: LiveConsortium) -> Iterator[LiveConsortium]:
    """The shared consortium, with every witness up again afterwards."""
    everyone = {member.id for member in live_consortium.topology.members}
    wait_until(lambda: signing(live_consortium) == everyone, "all to sign")
    yield live_consortium
    for member_id, each in witnesses(live_consortium).items():
        if not each["running"]:
            assert shirushi("consortium", "start", member_id, data=live_consortium.root).exit_code == 0


def test_all_five_sign_one_head_and_the_trust_policy_confirms_it(
    live: LiveConsortium, tmp_path: Path
) -> None:
    issue(live.root, tmp_path / "witnessed.txt")
    policy = policy_of(live.root)
    everyone = [member.id for member in live.topology.members]
    notes: dict[str, SignedNote] = {}

    def agree() -> bool:
        notes.update({each: note_of(live.root, each) for each in everyone})
        return len({note.text for note in notes.values()}) == 1

    wait_until(agree, "one head")
    keys = [(policy.verifier_key(member, key), key.use) for member in policy.members for key in member.keys]
    shares = [key for key, use in keys if key is not None and use is KeyUse.BLS]
    signatures = [
        each
        for note in notes.values()
        for each in note.signatures
        if not any(each.is_by(key) for key in shares)
    ]
    assert [len(note.signatures) for note in notes.values()] == [3] * 5
    assert len(signatures) == 10
    head = Head(SignedNote(notes[everyone[0]].text, tuple(signatures)))
    confirmation = HeadVerifier(policy).verify(head, int(time.time()))
    assert set(confirmation.members) == set(everyone)
    assert (confirmation.quorum, confirmation.not_counted) == (3, {})


def test_status_shows_where_each_stands(live: LiveConsortium) -> None:
    shown = witnesses(live)
    assert len({each["address"] for each in shown.values()}) == 5
    assert len({each["size"] for each in shown.values()}) == 1
    assert all(
        each["block"] == live.height and time.time() - each["last_cosigned"] < 120 for each in shown.values()
    )
    table = shirushi("consortium", "status", data=live.root).out
    assert "blocks behind" in table
    assert table.count("signing") == 5


def test_one_is_stopped_and_started_by_itself_and_catches_up(live: LiveConsortium, tmp_path: Path) -> None:
    assert shirushi("consortium", "stop", "kaguya", "--node", "witness", data=live.root).exit_code == 0
    assert [name for name, each in witnesses(live).items() if not each["running"]] == ["kaguya"]
    assert all(member["running"] for member in live.status()["members"])
    with pytest.raises(OSError, match="refused"):
        fetch(live.root, "kaguya", "/health")
    issue(live.root, tmp_path / "meanwhile.txt")
    assert shirushi("consortium", "start", "kaguya", "--node", "witness", data=live.root).exit_code == 0
    wait_until(lambda: "kaguya" in signing(live), "kaguya's witness")
    wait_until(lambda: note_of(live.root, "kaguya").text == note_of(live.root, "haw").text, "the same head")


def test_a_member_that_is_stopped_takes_its_witness_along(live: LiveConsortium) -> None:
    assert shirushi("consortium", "stop", "gcom", data=live.root).exit_code == 0
    assert [name for name, each in witnesses(live).items() if not each["running"]] == ["gcom"]
    again = shirushi("consortium", "stop", "gcom", "--node", "witness", data=live.root)
    assert again.exit_code == 0
    assert shirushi("consortium", "start", "gcom", data=live.root).exit_code == 0
    wait_until(lambda: "gcom" in signing(live), "gcom's witness")


def test_other_single_nodes_are_not_the_embedded_engine_s(live: LiveConsortium) -> None:
    run = shirushi("consortium", "stop", "haw", "--node", "peer", data=live.root)
    assert "whole members or their witnesses, and not the peer of haw alone" in run.sentence


def test_one_cannot_be_run_beside_the_process_of_all(live: LiveConsortium) -> None:
    run = shirushi("witness", "run", "--member", "haw", data=live.root)
    assert "is embedded: its witnesses run in its own process" in run.sentence


def test_metrics_are_served(live: LiveConsortium) -> None:
    assert b"\nshirushi_witness_signing 1.0" in fetch(live.root, "haw", "/metrics")


def test_a_consortium_from_before_gets_its_witnesses_when_its_topology_names_them(tmp_path: Path) -> None:
    topology = with_ports(replace(default_topology(), channel="before-test"), 0)
    bare = replace(topology, members=tuple(replace(member, witness=None) for member in topology.members))
    data = tmp_path / "data"
    data.mkdir()
    live = LiveConsortium(Layout(data))
    write_topology(live.layout.topology, bare)
    try:
        live.up()
        assert [member["witness"] for member in live.status()["members"]] == [None] * 5
        assert "blocks behind" not in shirushi("consortium", "status", data=data).out
        assert not live.layout.trust_policy.exists()
        refused = shirushi("consortium", "stop", "haw", "--node", "witness", data=data)
        assert refused.sentence == "haw runs no witness: topology.toml has none for it"
        live.down()
        genesis = live.layout.genesis.read_bytes()
        write_topology(live.layout.topology, topology)
        run = shirushi("consortium", "up", data=data)
        assert run.exit_code == 0, run.err
        assert "making the witness keys of Haw International" in run.err
        assert "signing the trust policy as all members" in run.err
        assert live.layout.genesis.read_bytes() == genesis
        wait_until(lambda: len(signing(live)) == 5, "all to sign")
        connection = json.loads(live.layout.connection.read_bytes())
        assert [member["witness"]["url"] for member in connection["members"]] == [
            member.witness.url for member in topology.members if member.witness
        ]
    finally:
        live.down()


class TestAskingOverTheNetwork:
    async def test_gives_what_the_process_itself_says(self, live: LiveConsortium) -> None:
        member = live.member("haw")
        assert member.witness is not None
        root = (live.layout.members / "haw" / "tlsca" / "cert.pem").read_bytes()
        found = await ask_witness(member, member.witness, root)
        assert found.keys() == witnesses(live)["haw"].keys()
        assert (found["running"], found["refusing"], found["disagreeing"]) == (True, None, [])
        assert witness_problems(found) == []

    async def test_believes_no_other_member_s_certificate(self, live: LiveConsortium) -> None:
        member = live.member("haw")
        assert member.witness is not None
        root = (live.layout.members / "gcom" / "tlsca" / "cert.pem").read_bytes()
        with pytest.raises(
            WitnessSilentError, match=r"the witness of Haw International .* does not answer: .*certificate"
        ):
            await ask_witness(member, member.witness, root)

    async def test_names_one_that_does_not_answer(self, live: LiveConsortium) -> None:
        member = live.member("haw")
        assert member.witness is not None
        gone = replace(member.witness, port=1)
        root = (live.layout.members / "haw" / "tlsca" / "cert.pem").read_bytes()
        with pytest.raises(
            WitnessSilentError, match=r"\(127\.0\.0\.1:1\) does not answer: Connect call failed"
        ):
            await ask_witness(member, gone, root)

    def test_says_what_is_wrong(self) -> None:
        found = {
            "refusing": "it is catching up: 3 blocks of 9 are taken in",
            "disagreeing": ["haw", "gcom"],
            "ticking": "a tick did not go through: no answer",
            "alarms": {"orderers": 2, "creator": 1},
        }
        assert witness_problems(found) == [
            "its witness signs nothing now: it is catching up: 3 blocks of 9 are taken in",
            "its witness has a log that contradicts what haw, gcom signed",
            "its witness cannot keep the ledger's time going: a tick did not go through: no answer",
            "its witness noticed something about its peer's blocks: creator (1), orderers (2); alarms.json in its folder has "
            "more",
        ]
