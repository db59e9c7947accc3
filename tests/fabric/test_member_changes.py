"""Members of a running consortium on real Fabric: one comes and goes, certificates are renewed, one is taken back."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.support.command import Run, shirushi
from tests.support.fabric_binaries import fabric_binary

from shirushi_client.gateway import CallOptions, GatewayError
from shirushi_core.fabric.channel_config import ChannelConfig
from shirushi_core.fabric.config_checks import read_consenters
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.signing import load_certificate
from shirushi_core.proofs.canonical import encode
from shirushi_network.channel_updates import level_orderers
from shirushi_network.config_blocks import read_config_block
from shirushi_network.fabric.deployment import DISCOVERY_SECONDS, RETRY_SECONDS
from shirushi_network.fabric.participation import OrdererAdmin
from shirushi_network.fabric.peer_admin import PeerError, open_peer
from shirushi_network.layout import Layout
from shirushi_network.member_access import admin_contract, identity_of, tls_roots
from shirushi_network.member_keys import ANCHORS, ORDERER
from shirushi_network.ports import free_ports
from shirushi_network.registration import city_record
from shirushi_network.topology import PORTS_USED, Topology, member_on
from shirushi_network.topology_file import read_topology, write_topology

COMMAND = [sys.executable, "-c", "from shirushi_client.cli.main import main; main()"]
ISSUE_SECONDS = 60


def done(run: Run) -> Any:
    assert run.exit_code == 0, run.err
    return run.json


def binaries() -> Path:
    fabric_binary("orderer")
    return Path(fabric_binary("peer")).parent


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The five founding members on one machine."""
    folder = tmp_path_factory.mktemp("changes") / "data"
    options = ("--engine", "native", "--binaries", binaries(), "--base-port", "0")
    try:
        run = shirushi("consortium", "up", *options, data=folder)
        assert run.exit_code == 0, run.err
        yield folder
    finally:
        shirushi("consortium", "down", data=folder)


@pytest.fixture(scope="module")
def sixth(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a sixth member: its own keys, the topology with itself in it, the others' bundles."""
    root = tmp_path_factory.mktemp("sixth")
    folder, exchanged = root / "data", root / "exchanged.json"
    topology = topology_of(data)
    member = member_on("sixth", "SixthMSP", "六番目", "Sixth", "127.0.0.1", free_ports(PORTS_USED))
    write_topology(root / "six.toml", replace(topology, members=(*topology.members, member), quorum=4))
    options = ("--topology", root / "six.toml")
    assert shirushi("member", "init", "sixth", *options, data=folder).exit_code == 0
    for other in topology.members:
        assert shirushi("member", "export", other.id, "-o", exchanged, data=data).exit_code == 0
        assert shirushi("member", "add", exchanged, data=folder).exit_code == 0
    assert shirushi("member", "export", "sixth", "-o", root / "sixth.json", data=folder).exit_code == 0
    try:
        yield folder
    finally:
        shirushi("consortium", "down", data=folder)


def topology_of(data: Path) -> Topology:
    return read_topology(data / "topology.toml")


def config_of(data: Path, tmp_path: Path) -> ChannelConfig:
    """The channel's newest configuration; configtxlator has to be able to read its block."""
    file = tmp_path / "newest.block"
    done(shirushi("channel", "fetch", "--newest-config", "-o", file, "--json", data=data))
    command = [fabric_binary("configtxlator"), "proto_decode", "--type", "common.Block"]
    decoded = json.loads(
        subprocess.run(command, input=file.read_bytes(), capture_output=True, timeout=30, check=True).stdout
    )
    config = read_config_block(file).config
    (envelope,) = decoded["data"]["data"]
    assert int(envelope["payload"]["data"]["config"]["sequence"]) == config.sequence
    return config


def issue(data: Path, file: Path) -> None:
    file.write_text(file.name)
    issued = shirushi("issue", file, "--type", "residence", data=data)
    assert issued.exit_code == 0, issued.err


def verify(data: Path, file: Path) -> Any:
    run = shirushi("verify", file, "--ledger", "--json", data=data)
    assert run.exit_code == 0, run.err
    return run.json


@contextmanager
def issuing(data: Path, folder: Path) -> Iterator[list[Path]]:
    """Issue one certificate after the other, by a command of its own each, until the block ends; all have to succeed."""
    made: list[Path] = []
    failed: list[str] = []
    ended = threading.Event()

    def go_on() -> None:
        while not ended.is_set():
            file = folder / f"while-changing-{len(made)}.txt"
            file.write_text(file.name)
            arguments = ["issue", str(file), "--type", "residence", "--data", str(data)]
            run = subprocess.run(
                [*COMMAND, *arguments], capture_output=True, text=True, timeout=ISSUE_SECONDS, check=False
            )
            made.append(file)
            if run.returncode:
                failed.append(run.stderr)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield made
    finally:
        ended.set()
        thread.join(2 * ISSUE_SECONDS)
    assert not failed
    assert made


def test_a_dry_run_says_what_would_change_and_who_signs_and_changes_nothing(
    data: Path, sixth: Path, tmp_path: Path
) -> None:
    bundle = sixth.parent / "sixth.json"
    topology = (data / "topology.toml").read_bytes()
    before = config_of(data, tmp_path).config
    for arguments, words in (
        (("add-member", bundle), "adds the member SixthMSP"),
        (("remove-member", "kaguya"), "removes the member KaguyaMSP"),
        (("set-blocks", "--max-messages", "300"), "batch: at most 500 → 300 messages"),
    ):
        run = shirushi("channel", *arguments, "--dry-run", data=data)
        assert run.exit_code == 0, run.err
        assert words in run.out
        assert "signed by 0 of 5 members, 3 needed; missing: 3 of ChaintopeMSP (chaintope)" in run.out
        assert "nothing was changed: this is a dry run" in run.out
    assert config_of(data, tmp_path).config == before
    assert (data / "topology.toml").read_bytes() == topology
    assert not (data / "bundles").exists()


def test_how_blocks_are_cut_is_set_in_the_channel_and_in_the_topology(data: Path, tmp_path: Path) -> None:
    done(shirushi("channel", "set-blocks", "--wait", "0.1", "--max-messages", "250", "--json", data=data))
    batch = config_of(data, tmp_path).batch
    assert (batch.timeout_seconds, batch.max_message_count) == (0.1, 250)
    assert topology_of(data).blocks == batch
    assert done(shirushi("channel", "inspect", "--live", "--json", data=data))["warnings"] == []
    refused = shirushi("channel", "set-blocks", "--max-bytes", "100", "--preferred-bytes", "100", data=data)
    assert "SmartBFT could not run with these options" in refused.sentence


def test_two_signatures_of_five_are_not_enough(data: Path, tmp_path: Path) -> None:
    """One machine that has two members' keys, and what the others publish."""
    part = tmp_path / "part"
    part.mkdir()
    for member in topology_of(data).members:
        exchanged = tmp_path / f"{member.id}.json"
        assert shirushi("member", "export", member.id, "-o", exchanged, data=data).exit_code == 0
    for name in ("topology.toml", "genesis.block", "engine.json"):
        (part / name).write_bytes((data / name).read_bytes())
    (part / "members").mkdir()
    for name in ("haw", "gcom"):
        (part / "members" / name).symlink_to(data / "members" / name)
    for name in ("iizuka", "chaintope", "kaguya"):
        assert shirushi("member", "add", tmp_path / f"{name}.json", data=part).exit_code == 0
    run = shirushi("channel", "set-blocks", "--wait", "0.3", data=part)
    assert run.exit_code == 1
    assert (
        "signed by 2 of 5 members (GcomMSP (Gcom Holdings), HawMSP (Haw International)), 3 needed"
        in run.sentence
    )
    assert config_of(data, tmp_path).batch.timeout_seconds == 0.1


class TestASixthMember:
    def test_before_it_is_added_the_channel_tells_it_nothing(self, sixth: Path) -> None:
        assert "channel genesis` builds" in shirushi("consortium", "up", data=sixth).sentence
        assert "access denied" in shirushi("channel", "fetch", data=sixth).sentence

    def test_it_is_added_comes_up_by_itself_endorses_and_orders(
        self, data: Path, sixth: Path, tmp_path: Path
    ) -> None:
        issue(data, tmp_path / "before.txt")
        told = done(shirushi("member", "show", "sixth", "--json", data=sixth))["fingerprint"]
        bundle = sixth.parent / "sixth.json"
        wrong = shirushi("channel", "add-member", bundle, "--fingerprint", "0" * 64, data=data)
        assert "use no other file" in wrong.sentence
        added = done(shirushi("channel", "add-member", bundle, "--fingerprint", told, "--json", data=data))
        assert any("Sixth now runs `shirushi channel fetch`" in step for step in added["next"])
        assert any("the quorum has to change from 3 to 4" in each for each in added["files"])
        assert topology_of(data).members == topology_of(sixth).members
        assert "the channel has it already" in shirushi("channel", "add-member", bundle, data=data).out

        fetched = done(shirushi("channel", "fetch", "--json", data=sixth))
        shown = done(shirushi("channel", "inspect", "--json", data=data))
        assert fetched["genesis_fingerprint"] == shown["fingerprint"]
        options = ("--engine", "native", "--binaries", binaries())
        run = shirushi("consortium", "up", *options, data=sixth)
        assert run.exit_code == 0, run.err
        members = done(shirushi("consortium", "status", "--json", data=sixth))["members"]
        assert [member["running"] for member in members] == [True] * 6, members
        layout, topology = Layout(sixth), topology_of(sixth)
        member = topology.member("sixth")
        state = OrdererAdmin(member, layout.members / "sixth").channel(topology.channel)
        assert state is not None
        assert (state.relation, state.status) == ("consenter", "active")
        assert [each.id for each in config_of(data, tmp_path).consenters] == [1, 2, 3, 4, 5, 6]

        asyncio.run(self.propose_an_issuer(layout, topology))
        issue(data, tmp_path / "with-six.txt")
        for name in ("before.txt", "with-six.txt"):
            assert "sixth" in json.dumps(verify(data, tmp_path / name))
        assert verify(sixth, tmp_path / "before.txt")

    async def propose_an_issuer(self, layout: Layout, topology: Topology) -> None:
        """Have its admin propose it as an issuer, endorsed by its own peer among the four that are needed.

        The peers find each other by gossip, which takes a while.
        """
        member = topology.member("sixth")
        record = city_record(layout, member, "sixth-office", ("residence",)).to_json()
        async with (
            asyncio.timeout(DISCOVERY_SECONDS),
            admin_contract(layout, topology, member, ANCHORS) as contract,
        ):
            while True:
                try:
                    await contract.submit(
                        "propose_issuer",
                        arguments=[encode({"record": record})],
                        endorsing_organizations=["SixthMSP", "IizukaMSP", "HawMSP", "GcomMSP"],
                        options=CallOptions(timeout=30.0),
                    )
                    return
                except GatewayError as error:
                    if error.code is not grpc.StatusCode.UNAVAILABLE:
                        raise
                await asyncio.sleep(RETRY_SECONDS)

    def test_it_is_removed_and_the_others_go_on(self, data: Path, sixth: Path, tmp_path: Path) -> None:
        removed = done(shirushi("channel", "remove-member", "sixth", "--json", data=data))
        assert any("Sixth now stops its nodes" in step for step in removed["next"])
        assert "sixth" not in {member.id for member in topology_of(data).members}
        assert topology_of(data).quorum == 4
        config = config_of(data, tmp_path)
        assert "SixthMSP" not in {*config.application_orgs, *config.orderer_orgs}
        assert len(config.consenters) == 5
        assert shirushi("consortium", "down", data=sixth).exit_code == 0
        issue(data, tmp_path / "after.txt")
        assert "sixth" not in json.dumps(verify(data, tmp_path / "after.txt"))

    def test_its_consenter_id_is_never_given_again(self, data: Path, sixth: Path) -> None:
        bundle = sixth.parent / "sixth.json"
        run = shirushi("channel", "add-member", bundle, "--dry-run", data=data)
        assert "adds consenter 7, the orderer of SixthMSP" in run.out


class TestCertificates:
    def test_an_orderer_gets_new_ones_while_issuing_goes_on(self, data: Path, tmp_path: Path) -> None:
        home = data / "members" / "gcom" / "orderers" / ORDERER
        with issuing(data, tmp_path) as made:
            parts = ("--only", "orderer", "--only", "orderer-tls")
            assert shirushi("member", "renew", "gcom", *parts, data=data).exit_code == 0
            warned = done(shirushi("channel", "inspect", "--live", "--json", data=data))["warnings"]
            assert any("what is known of gcom here differs" in warning for warning in warned)
            rotated = done(shirushi("channel", "rotate", "gcom", "--json", data=data))
            (step,) = rotated["next"]
            assert "the orderer of Gcom Holdings takes part no more until it is restarted" in step
            for action in ("stop", "start"):
                run = shirushi("consortium", action, "gcom", "--node", "orderer", data=data)
                assert run.exit_code == 0, run.err
        for file in made:
            verify(data, file)
        (consenter,) = [
            each
            for each in read_consenters(config_of(data, tmp_path).config.channel_group)
            if each.msp_id == "GcomMSP"
        ]
        assert consenter.id == 5
        assert consenter.identity == (home / "msp" / "signcerts" / "cert.pem").read_bytes()
        assert consenter.server_tls_cert == (home / "tls" / "server.crt").read_bytes()
        assert done(shirushi("channel", "inspect", "--live", "--json", data=data))["warnings"] == []
        assert "the channel has it already" in shirushi("channel", "rotate", "gcom", data=data).out

    def test_the_quorum_holds_with_it_and_without_another(self, data: Path, tmp_path: Path) -> None:
        """Four of five have to sign a block: with one down, the renewed one is among them."""
        layout, topology = Layout(data), topology_of(data)
        issue(data, tmp_path / "five.txt")  # which tells the restarted one what it has missed
        assert len(asyncio.run(level_orderers(layout, topology))) == 5
        assert shirushi("consortium", "stop", "kaguya", "--node", "orderer", data=data).exit_code == 0
        try:
            issue(data, tmp_path / "four.txt")
            parts = ("--only", "orderer")
            assert shirushi("member", "renew", "haw", *parts, data=data).exit_code == 0
            refused = shirushi("channel", "rotate", "haw", data=data)
            assert refused.sentence == (
                "3 of 5 orderers would be left, and 4 are needed for a block; the orderers of Kaguya do not answer or are "
                "behind: bring them up first"
            )
        finally:
            assert shirushi("consortium", "start", "kaguya", "--node", "orderer", data=data).exit_code == 0

    def test_a_client_that_was_revoked_is_refused_by_every_peer(self, data: Path, tmp_path: Path) -> None:
        layout, topology = Layout(data), topology_of(data)
        old = identity_of(layout, topology.member("kaguya"), "client")
        asyncio.run(self.ask_all(layout, topology, old))
        file = tmp_path / "old.pem"
        file.write_bytes(old.identity.certificate_pem)
        assert load_certificate(file.read_bytes())
        assert shirushi("member", "renew", "kaguya", "--only", "client", data=data).exit_code == 0
        assert shirushi("member", "revoke", "kaguya", file, data=data).exit_code == 0
        rotated = done(shirushi("channel", "rotate", "kaguya", "--json", data=data))
        assert rotated["signed_by"] == ["KaguyaMSP"]
        for member in topology.members:
            with pytest.raises(PeerError, match="access denied"):
                asyncio.run(self.ask(layout, topology, member.id, old))
        asyncio.run(self.ask_all(layout, topology, identity_of(layout, topology.member("kaguya"), "client")))

    async def ask(self, layout: Layout, topology: Topology, name: str, identity: SigningIdentity) -> None:
        member = topology.member(name)
        async with open_peer(member, identity, tls_roots(layout, member)) as peer:
            await peer.call(
                topology.channel, ANCHORS, [b"list_issuers", encode({"bookmark": "", "page_size": 1})]
            )

    async def ask_all(self, layout: Layout, topology: Topology, identity: SigningIdentity) -> None:
        for member in topology.members:
            await self.ask(layout, topology, member.id, identity)
