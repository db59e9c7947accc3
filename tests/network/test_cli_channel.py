"""`shirushi channel` without a network: what a block says, and what is refused before anybody is asked."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fabric_protos.common import common_pb2, configtx_pb2
from tests.support.command import Run, shirushi

from shirushi_core.fabric.block import data_hash, header_hash, new_block
from shirushi_core.fabric.channel_config import from_config_block
from shirushi_core.fabric.config_proposal import ProposedUpdate
from shirushi_core.fabric.config_update import compute_update
from shirushi_core.fabric.genesis import genesis_block
from shirushi_network.bring_up import prepare
from shirushi_network.config_blocks import MAX_BLOCK_BYTES
from shirushi_network.errors import ConsortiumError
from shirushi_network.fabric.lifetimes import certificate_days
from shirushi_network.layout import Layout
from shirushi_network.member_bundle import bundle_of
from shirushi_network.member_keys import create_member
from shirushi_network.topology import Topology, default_topology
from shirushi_network.topology_file import write_topology

TOPOLOGY = replace(default_topology(), channel="inspected-test")


def done(run: Run) -> Any:
    assert run.exit_code == 0, run.err
    return run.json


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with five members' keys and their genesis block."""
    root = tmp_path_factory.mktemp("made") / "data"
    root.mkdir()
    prepare(Layout(root), TOPOLOGY, progress=lambda text: None)
    return root


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "data"))


def genesis(data: Path) -> common_pb2.Block:
    return common_pb2.Block.FromString((data / "genesis.block").read_bytes())


class TestInspect:
    def test_the_genesis_block_is_described_with_the_members_names_and_its_fingerprint(
        self, data: Path
    ) -> None:
        run = shirushi("channel", "inspect", data=data)
        assert run.exit_code == 0, run.err
        for expected in (
            "block 0 of inspected-test",
            "member HawMSP: haw, 株式会社ハウインターナショナル / Haw International",
            "CA certificate: CN=ca.haw,O=Haw International (serial",
            "consenter 3: 127.0.0.1:17071 of HawMSP",
            "4 of the 5 orderers must sign a block",
            "/Channel/Application/Endorsement: a majority of the Endorsement policies below",
            "at most 500 messages",
            "view_change_timeout: 15s",
            "capabilities: Application/V2_5, Channel/V3_0, Orderer/V2_0",
            "no warnings",
        ):
            assert expected in run.out
        lines = run.out.splitlines()
        (at,) = [number for number, line in enumerate(lines) if line.startswith("fingerprint")]
        digits = "".join(line.removeprefix("fingerprint").replace(" ", "") for line in lines[at : at + 2])
        assert digits == header_hash(genesis(data).header).hex()
        assert done(shirushi("channel", "genesis", "--json", data=data))["fingerprint"] == digits

    def test_it_is_said_in_json_too(self, data: Path) -> None:
        found = done(shirushi("channel", "inspect", "--json", data=data))
        assert (found["channel"], found["number"], found["sequence"]) == ("inspected-test", 0, 0)
        assert found["warnings"] == []
        assert {member["id"] for member in found["members"]} == {member.id for member in TOPOLOGY.members}
        assert {member["orderer"] for member in found["members"]} == {
            member.orderer.address for member in TOPOLOGY.members if member.orderer
        }

    def test_a_block_can_be_looked_at_where_nothing_else_is_known(self, data: Path, tmp_path: Path) -> None:
        found = done(
            shirushi("channel", "inspect", data / "genesis.block", "--json", data=tmp_path / "empty")
        )
        assert {member["name"] for member in found["members"]} == {None}
        assert found["fingerprint"] == header_hash(genesis(data).header).hex()

    def test_members_that_only_one_side_knows_are_warned_of(self, data: Path) -> None:
        *known, _ = TOPOLOGY.members
        stranger = replace(known[-1], id="stranger", msp_id="StrangerMSP", orderer=None)
        stranger = replace(
            stranger,
            peer=replace(stranger.peer, host="peer.example"),
            chaincode=replace(stranger.chaincode, host="peer.example"),
            witness=None,
        )
        write_topology(data / "topology.toml", replace(TOPOLOGY, members=(*known, stranger)))
        warnings = done(shirushi("channel", "inspect", "--json", data=data))["warnings"]
        assert "GcomMSP is in the channel, and topology.toml does not list it" in warnings
        assert "topology.toml lists stranger (StrangerMSP), which is not in the channel" in warnings

    def test_what_differs_between_the_block_and_the_topology_is_warned_of(self, data: Path) -> None:
        blocks = replace(TOPOLOGY.blocks, max_message_count=77)
        bft = replace(TOPOLOGY.bft, view_change=20.0)
        first, *others = TOPOLOGY.members
        moved = replace(first, peer=replace(first.peer, port=1234))
        write_topology(
            data / "topology.toml", replace(TOPOLOGY, blocks=blocks, bft=bft, members=(moved, *others))
        )
        warnings = "\n".join(done(shirushi("channel", "inspect", "--json", data=data))["warnings"])
        assert "topology.toml differs (channel → topology): batch: at most 500 → 77 messages" in warnings
        assert "view_change_timeout" in warnings
        assert "127.0.0.1:1234" in warnings

    def test_certificates_that_are_not_the_member_s_present_ones_are_warned_of(self, data: Path) -> None:
        assert shirushi("member", "renew", "kaguya", "--only", "orderer-tls", data=data).exit_code == 0
        (warning,) = done(shirushi("channel", "inspect", "--json", data=data))["warnings"]
        assert warning.startswith("what is known of kaguya here differs (channel → here): changes the TLS")

    def test_certificates_that_expired_or_soon_will_are_warned_of(self, tmp_path: Path) -> None:
        layout = Layout(tmp_path)
        now = datetime.now(UTC)
        for number, member in enumerate(TOPOLOGY.members):
            made_at = now - timedelta(days=100)
            create_member(
                layout.members, member, now=made_at, certificate_days=(95, 110, 800)[min(number, 2)]
            )
        bundles = [bundle_of(layout, member) for member in TOPOLOGY.members]
        block = genesis_block(TOPOLOGY.channel, bundles, TOPOLOGY.blocks, TOPOLOGY.bft)
        layout.genesis.write_bytes(block.SerializeToString())
        warnings = done(shirushi("channel", "inspect", "--json", data=tmp_path))["warnings"]
        assert [warning.partition(" on ")[0] for warning in warnings] == [
            "the identity certificate of consenter 1 (IizukaMSP) expired",
            "the TLS certificate of consenter 1 (IizukaMSP) expired",
            "the identity certificate of consenter 2 (ChaintopeMSP) expires",
            "the TLS certificate of consenter 2 (ChaintopeMSP) expires",
        ]
        assert warnings[2].endswith(", in 9 days")
        write_topology(layout.topology, TOPOLOGY)
        days, problems = certificate_days(layout, TOPOLOGY.members[0], now)
        assert days is not None
        assert days < 0
        assert any("orderer-tls certificate" in each and "expired" in each for each in problems)
        assert certificate_days(layout, TOPOLOGY.members[2], now)[1] == []

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "it has no header or no data"),
            (b"-----BEGIN CERTIFICATE-----", "does not decode"),
            (bytes(MAX_BLOCK_BYTES + 1), f"is longer than {MAX_BLOCK_BYTES} bytes"),
            (b"\0" * 4096, "does not decode"),
            (new_block(3, b"", [b"x", b"y"]).SerializeToString(), "a config block holds one envelope"),
        ],
    )
    def test_a_file_that_is_no_block_is_one_sentence(
        self, data: Path, tmp_path: Path, content: bytes, said: str
    ) -> None:
        file = tmp_path / "received.block"
        file.write_bytes(content)
        run = shirushi("channel", "inspect", file, data=data)
        assert run.exit_code == 1
        assert str(file) in run.sentence
        assert said in run.sentence

    def test_one_that_is_cut_off_anywhere_is_one_sentence(self, data: Path, tmp_path: Path) -> None:
        whole = (data / "genesis.block").read_bytes()
        for length in (1, 10, 40, len(whole) // 2, len(whole) - 300):
            (tmp_path / "cut.block").write_bytes(whole[:length])
            run = shirushi("channel", "inspect", tmp_path / "cut.block", data=data)
            assert run.exit_code == 1
            assert str(tmp_path / "cut.block") in run.sentence

    def test_data_that_do_not_belong_to_the_header_are_refused(self, data: Path) -> None:
        block = genesis(data)
        block.data.data[0] += b"\x82\x01\x00"
        (data / "genesis.block").write_bytes(block.SerializeToString())
        assert "do not belong to its header" in shirushi("channel", "inspect", data=data).sentence

    def test_a_block_of_another_channel_is_refused(self, data: Path, tmp_path: Path) -> None:
        bundles = [bundle_of(Layout(data), member) for member in TOPOLOGY.members]
        other = genesis_block("another-test", bundles, TOPOLOGY.blocks)
        (tmp_path / "other.block").write_bytes(other.SerializeToString())
        run = shirushi("channel", "inspect", tmp_path / "other.block", data=data)
        assert run.sentence == (
            f"{tmp_path / 'other.block'}: a block of channel 'another-test'; expected one of 'inspected-test'"
        )

    def test_a_block_that_is_not_there_and_a_file_beside_live(self, data: Path, tmp_path: Path) -> None:
        assert "cannot be read" in shirushi("channel", "inspect", tmp_path / "none", data=data).sentence
        run = shirushi("channel", "inspect", data / "genesis.block", "--live", data=data)
        assert "name no file with it" in run.sentence

    def test_hostile_values_are_shown_and_not_obeyed(self, data: Path) -> None:
        block = genesis(data)
        envelope = common_pb2.Envelope.FromString(block.data.data[0])
        payload = common_pb2.Payload.FromString(envelope.payload)
        content = configtx_pb2.ConfigEnvelope.FromString(payload.data)
        orderer = content.config.channel_group.groups["Orderer"]
        orderer.values["\x1b[31mred"].CopyFrom(configtx_pb2.ConfigValue(value=b"\xff" * 9))
        payload.data = content.SerializeToString()
        envelope.payload = payload.SerializeToString()
        block.data.data[0] = envelope.SerializeToString()
        block.header.data_hash = data_hash(block.data.data)
        (data / "genesis.block").write_bytes(block.SerializeToString())
        run = shirushi("channel", "inspect", data=data)
        assert "\x1b" not in run.out + run.err


class TestWithoutANetwork:
    @pytest.fixture
    def unsigned(self, data: Path, tmp_path: Path) -> Path:
        config = from_config_block(genesis(data))
        desired = configtx_pb2.ConfigGroup()
        desired.CopyFrom(config.config.channel_group)
        desired.groups["Orderer"].values["BatchTimeout"].value = b"\n\x021s"
        update = compute_update(TOPOLOGY.channel, config.config, desired)
        file = tmp_path / "update.pb"
        file.write_bytes(ProposedUpdate.from_update(update).to_bytes())
        return file

    @pytest.mark.parametrize("command", ["sign", "submit"])
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"nothing", "is no proposed configuration update"),
            (b"", "is no proposed configuration update"),
            (bytes((8 << 20) + 1), "is longer than"),
        ],
    )
    def test_a_file_that_is_no_update_is_one_sentence(
        self, data: Path, tmp_path: Path, command: str, content: bytes, said: str
    ) -> None:
        (tmp_path / "update.pb").write_bytes(content)
        run = shirushi("channel", command, tmp_path / "update.pb", data=data)
        assert run.exit_code == 1
        assert said in run.sentence
        assert "update.pb" in run.sentence

    def test_updates_of_different_content_are_not_put_together(
        self, data: Path, tmp_path: Path, unsigned: Path
    ) -> None:
        other = tmp_path / "other.pb"
        proposed = ProposedUpdate.from_bytes(unsigned.read_bytes())
        update = proposed.update
        update.write_set.groups["Orderer"].values["BatchTimeout"].value = b"\n\x022s"
        other.write_bytes(ProposedUpdate.from_update(update).to_bytes())
        run = shirushi("channel", "submit", unsigned, other, data=data)
        assert "different updates" in run.sentence

    def test_a_channel_that_nobody_answers_for_is_one_sentence(self, data: Path, unsigned: Path) -> None:
        for arguments in (
            ("sign", unsigned, "--yes"),
            ("submit", unsigned),
            ("set-blocks", "--wait", "1"),
            ("remove-member", "haw"),
            ("rotate", "haw"),
            ("inspect", "--live"),
            ("fetch",),
        ):
            run = shirushi("channel", *arguments, data=data)
            assert run.exit_code == 1
            assert "does not answer" in run.sentence

    def test_nothing_is_signed_that_nobody_looked_at(self, data: Path, unsigned: Path) -> None:
        assert "then add --yes" in shirushi("channel", "sign", unsigned, "--json", data=data).sentence

    def test_the_embedded_engine_takes_no_updates(self, data: Path) -> None:
        (data / "ledger").mkdir()
        run = shirushi("channel", "set-blocks", "--wait", "1", data=data)
        assert "is embedded: its configuration is its genesis block" in run.sentence


class TestBringingUpAMemberOfItsOwn:
    @pytest.fixture
    def alone(self, data: Path) -> Path:
        """A folder with one member's keys, the others' bundles and no genesis block."""
        exported = data.parent / "bundle.json"
        for member in TOPOLOGY.members[1:]:
            assert shirushi("member", "export", member.id, "-o", exported, data=data).exit_code == 0
            shutil.rmtree(data / "members" / member.id)
            assert shirushi("member", "add", exported, data=data).exit_code == 0
        (data / "genesis.block").unlink()
        return data

    def test_no_genesis_block_is_made_up_for_it(self, alone: Path) -> None:
        with pytest.raises(
            ConsortiumError, match=r"channel genesis` builds .* `shirushi channel fetch` gets"
        ):
            prepare(Layout(alone), TOPOLOGY, progress=lambda text: None)
        assert not (alone / "genesis.block").exists()

    def test_the_block_that_a_ledger_began_with_stays_when_the_topology_changes(self, data: Path) -> None:
        before = (data / "genesis.block").read_bytes()
        changed: Topology = replace(TOPOLOGY, quorum=4)
        prepare(Layout(data), changed, progress=lambda text: None, has_ledger=True)
        assert (data / "genesis.block").read_bytes() == before
