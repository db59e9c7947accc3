from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fabric_protos.common import common_pb2, configtx_pb2, configuration_pb2
from fabric_protos.orderer import configuration_pb2 as orderer_pb2
from fabric_protos.orderer.smartbft import configuration_pb2 as smartbft_pb2
from fabric_protos.peer import configuration_pb2 as peer_pb2
from hypothesis import given
from hypothesis import strategies as st
from tests.support.fabric_binaries import fabric_binary
from tests.support.throwaway_ca import NOW, START, ThrowawayCa, pem

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.block import data_hash
from shirushi_core.fabric.channel_config import (
    BatchParameters,
    ChannelConfig,
    from_config,
    from_config_block,
    parse_duration,
)
from shirushi_core.fabric.genesis import MemberBundle, genesis_block, go_duration
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.policy import PolicyError, SignedData, endorsement_layouts, evaluate_signed_data

BATCH = BatchParameters(500, 10 << 20, 2 << 20, 0.2)
CHANNEL = "shirushi-test"
MSPS = tuple(f"Org{number}MSP" for number in range(1, 6))


@pytest.fixture(scope="module")
def authorities() -> dict[str, ThrowawayCa]:
    return {msp_id: ThrowawayCa.root(f"ca.{msp_id}", msp_id) for msp_id in MSPS}


@pytest.fixture(scope="module")
def orderers(authorities: dict[str, ThrowawayCa]) -> dict[str, SigningIdentity]:
    return {msp_id: ca.issue("orderer", name=f"orderer0.{msp_id}") for msp_id, ca in authorities.items()}


@pytest.fixture(scope="module")
def bundles(authorities: dict[str, ThrowawayCa], orderers: dict[str, SigningIdentity]) -> list[MemberBundle]:
    tls = ThrowawayCa.root("tlsca")
    return [
        MemberBundle(
            member_id=msp_id.lower(),
            msp_id=msp_id,
            ca_certificates=(pem(ca.certificate),),
            tls_ca_certificates=(pem(tls.certificate),),
            orderer_certificate=orderers[msp_id].identity.certificate_pem,
            orderer_tls_certificate=tls.issue().identity.certificate_pem,
            orderer_host="127.0.0.1",
            orderer_port=7050 + number,
            peer_host="peer.example",
            peer_port=8050 + number,
        )
        for number, (msp_id, ca) in enumerate(authorities.items())
    ]


@pytest.fixture(scope="module")
def block(bundles: list[MemberBundle]) -> common_pb2.Block:
    return genesis_block(CHANNEL, bundles, BATCH)


@pytest.fixture(scope="module")
def config(block: common_pb2.Block) -> ChannelConfig:
    return from_config_block(block)


def signed(*signers: SigningIdentity) -> list[SignedData]:
    return [SignedData(b"data", each.identity.serialized, each.sign(b"data")) for each in signers]


def holds(config: ChannelConfig, path: str, *signers: SigningIdentity) -> bool:
    try:
        evaluate_signed_data(config.policies.get(path), signed(*signers), config.msps, NOW)
    except PolicyError:
        return False
    return True


class TestGenesis:
    def test_what_was_put_in_is_read_back(self, config: ChannelConfig, bundles: list[MemberBundle]) -> None:
        assert config.channel_id == CHANNEL
        assert config.sequence == 0
        assert config.application_orgs == config.orderer_orgs == MSPS
        assert set(config.msps.msps) == set(MSPS)
        assert config.consensus_type == "BFT"
        assert config.batch == BATCH
        assert config.capabilities == {"Channel/V3_0", "Orderer/V2_0", "Application/V2_5"}
        assert [each.id for each in config.consenters] == [1, 2, 3, 4, 5]
        for consenter, bundle in zip(config.consenters, bundles, strict=True):
            assert consenter.msp_id == bundle.msp_id
            assert consenter.identity_pem == bundle.orderer_certificate
            assert (consenter.host, consenter.port) == (bundle.orderer_host, bundle.orderer_port)

    def test_it_is_block_zero_and_its_hash_holds(self, block: common_pb2.Block) -> None:
        assert block.header.number == 0
        assert block.header.previous_hash == b""
        assert block.header.data_hash == data_hash(block.data.data)
        assert len(block.metadata.metadata) == 5

    def test_the_same_bundles_give_the_same_bytes(
        self, block: common_pb2.Block, bundles: list[MemberBundle]
    ) -> None:
        again = genesis_block(CHANNEL, bundles, BATCH)
        assert again.SerializeToString(deterministic=True) == block.SerializeToString(deterministic=True)
        assert genesis_block("other", bundles, BATCH).header.data_hash != block.header.data_hash

    def test_the_timestamp_is_when_the_youngest_authority_began(self, block: common_pb2.Block) -> None:
        envelope = common_pb2.Envelope.FromString(block.data.data[0])
        payload = common_pb2.Payload.FromString(envelope.payload)
        header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
        assert header.timestamp.seconds == int(START.timestamp())

    def test_orderers_wait_as_long_as_the_batch_says(self, config: ChannelConfig) -> None:
        value = config.config.channel_group.groups["Orderer"].values["ConsensusType"].value
        options = smartbft_pb2.Options.FromString(orderer_pb2.ConsensusType.FromString(value).metadata)
        assert options.request_batch_max_interval == "200ms"
        assert options.request_batch_max_count == BATCH.max_message_count

    def test_every_member_has_an_endpoint_and_an_anchor_peer(
        self, config: ChannelConfig, bundles: list[MemberBundle]
    ) -> None:
        root = config.config.channel_group
        for bundle in bundles:
            endpoints = configuration_pb2.OrdererAddresses.FromString(
                root.groups["Orderer"].groups[bundle.msp_id].values["Endpoints"].value
            )
            assert list(endpoints.addresses) == [f"127.0.0.1:{bundle.orderer_port}"]
            anchors = peer_pb2.AnchorPeers.FromString(
                root.groups["Application"].groups[bundle.msp_id].values["AnchorPeers"].value
            )
            assert [(each.host, each.port) for each in anchors.anchor_peers] == [
                ("peer.example", bundle.peer_port)
            ]

    @pytest.mark.parametrize("channel", ["", "Upper", "1st", "a" * 250, "a/b"])
    def test_a_name_fabric_would_refuse(self, bundles: list[MemberBundle], channel: str) -> None:
        with pytest.raises(InvalidInputError, match="no channel name"):
            genesis_block(channel, bundles, BATCH)

    def test_members_are_told_apart_by_their_msp_ids(self, bundles: list[MemberBundle]) -> None:
        for bad in ([], [bundles[0], bundles[0]], [replace(bundles[0], msp_id="a b")]):
            with pytest.raises(InvalidInputError):
                genesis_block(CHANNEL, bad, BATCH)

    def test_configtxlator_reads_every_part_of_it(self, block: common_pb2.Block, tmp_path: Path) -> None:
        (tmp_path / "genesis.block").write_bytes(block.SerializeToString())
        command = [fabric_binary("configtxlator"), "proto_decode", "--type", "common.Block"]
        done = subprocess.run(
            [*command, "--input", str(tmp_path / "genesis.block")],
            capture_output=True,
            timeout=30,
            check=True,
        )
        read = json.loads(done.stdout)
        envelope = read["data"]["data"][0]
        group = envelope["payload"]["data"]["config"]["channel_group"]
        assert envelope["payload"]["header"]["channel_header"]["channel_id"] == CHANNEL
        assert set(group["groups"]["Application"]["groups"]) == set(MSPS)
        (tmp_path / "genesis.json").write_bytes(done.stdout)
        back = [fabric_binary("configtxlator"), "proto_encode", "--type", "common.Block"]
        again = subprocess.run(
            [*back, "--input", str(tmp_path / "genesis.json")], capture_output=True, timeout=30, check=True
        )
        assert from_config_block(common_pb2.Block.FromString(again.stdout)).application_orgs == MSPS


class TestPolicies:
    def test_endorsement_takes_peers_of_a_majority(
        self, config: ChannelConfig, authorities: dict[str, ThrowawayCa]
    ) -> None:
        peers = [ca.issue("peer") for ca in authorities.values()]
        for path in ("/Channel/Application/Endorsement", "/Channel/Application/LifecycleEndorsement"):
            assert holds(config, path, *peers[:3])
            assert not holds(config, path, *peers[:2])
        clients = [ca.issue("client") for ca in authorities.values()]
        assert not holds(config, "/Channel/Application/Endorsement", *clients)
        layouts = endorsement_layouts(config.policies.get("/Channel/Application/Endorsement"))
        assert len(layouts) == 10
        assert layouts[0] == {"Org1MSP": 1, "Org2MSP": 1, "Org3MSP": 1}

    @pytest.mark.parametrize(
        ("path", "role", "allowed"),
        [
            ("/Channel/Application/Writers", "client", True),
            ("/Channel/Application/Writers", "admin", True),
            ("/Channel/Application/Writers", "peer", False),
            ("/Channel/Application/Readers", "peer", True),
            ("/Channel/Application/Readers", "orderer", False),
            ("/Channel/Readers", "orderer", True),
            ("/Channel/Writers", "client", True),
            ("/Channel/Application/Org1MSP/Admins", "admin", True),
            ("/Channel/Application/Org1MSP/Admins", "client", False),
        ],
    )
    def test_what_a_role_may(
        self, config: ChannelConfig, authorities: dict[str, ThrowawayCa], path: str, role: str, allowed: bool
    ) -> None:
        assert holds(config, path, authorities["Org1MSP"].issue(role)) is allowed

    def test_admins_of_a_majority_may_change_the_channel(
        self, config: ChannelConfig, authorities: dict[str, ThrowawayCa]
    ) -> None:
        admins = [ca.issue("admin") for ca in authorities.values()]
        assert holds(config, "/Channel/Admins", *admins[:3])
        assert not holds(config, "/Channel/Admins", *admins[:2])

    def test_blocks_need_four_of_five_of_the_very_orderers_named(
        self,
        config: ChannelConfig,
        orderers: dict[str, SigningIdentity],
        authorities: dict[str, ThrowawayCa],
    ) -> None:
        named = list(orderers.values())
        assert holds(config, "/Channel/Orderer/BlockValidation", *named[1:])
        assert not holds(config, "/Channel/Orderer/BlockValidation", *named[2:])
        others = [ca.issue("orderer") for ca in authorities.values()]
        assert not holds(config, "/Channel/Orderer/BlockValidation", *named[2:], *others)


def changed(
    config: ChannelConfig, change: Callable[[configtx_pb2.ConfigGroup], object]
) -> configtx_pb2.Config:
    made = configtx_pb2.Config()
    made.CopyFrom(config.config)
    change(made.channel_group)
    return made


class TestReading:
    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (lambda g: g.values.pop("HashingAlgorithm"), "missing value HashingAlgorithm"),
            (
                lambda g: setattr(
                    g.values["HashingAlgorithm"],
                    "value",
                    configuration_pb2.HashingAlgorithm(name="SHA3_256").SerializeToString(),
                ),
                "SHA3_256",
            ),
            (lambda g: setattr(g.values["BlockDataHashingStructure"], "value", b""), "width is 0"),
            (lambda g: g.groups.pop("Application"), "missing Application"),
            (lambda g: g.groups.pop("Orderer"), "missing Orderer"),
            (
                lambda g: setattr(g.groups["Application"].groups["Org1MSP"].values["MSP"], "value", b"\xff"),
                "MSP is no MSPConfig",
            ),
            (
                lambda g: (
                    g.groups["Application"]
                    .groups["Org1MSP"]
                    .values["MSP"]
                    .CopyFrom(g.groups["Application"].groups["Org2MSP"].values["MSP"])
                ),
                None,
            ),
            (lambda g: setattr(g.groups["Orderer"].values["BatchSize"], "value", b""), "invalid batch size"),
            (lambda g: setattr(g.groups["Orderer"].values["BatchTimeout"], "value", b""), "invalid duration"),
        ],
    )
    def test_a_defect_is_named_with_the_channel(
        self, config: ChannelConfig, change: Callable[[configtx_pb2.ConfigGroup], object], says: str | None
    ) -> None:
        made = changed(config, change)
        if says is None:
            assert from_config(CHANNEL, made).application_orgs.count("Org2MSP") == 2
            return
        with pytest.raises(InvalidInputError, match=f"channel '{CHANNEL}': .*{says}"):
            from_config(CHANNEL, made)

    def test_two_versions_of_one_msp(self, config: ChannelConfig, bundles: list[MemberBundle]) -> None:
        other = replace(bundles[0], tls_ca_certificates=())
        foreign = from_config_block(genesis_block(CHANNEL, [other], BATCH)).config.channel_group

        def change(group: configtx_pb2.ConfigGroup) -> None:
            value = foreign.groups["Application"].groups["Org1MSP"].values["MSP"]
            group.groups["Application"].groups["Org1MSP"].values["MSP"].CopyFrom(value)

        with pytest.raises(InvalidInputError, match="two different versions of MSP: Org1MSP"):
            from_config(CHANNEL, changed(config, change))

    def test_a_block_of_transactions_is_no_config_block(self, block: common_pb2.Block) -> None:
        header = common_pb2.ChannelHeader(type=common_pb2.ENDORSER_TRANSACTION)
        payload = common_pb2.Payload(header=common_pb2.Header(channel_header=header.SerializeToString()))
        envelope = common_pb2.Envelope(payload=payload.SerializeToString())
        made = common_pb2.Block()
        with pytest.raises(InvalidInputError, match="holds one envelope"):
            from_config_block(made)
        made.data.data.append(envelope.SerializeToString())
        with pytest.raises(InvalidInputError, match="no config block"):
            from_config_block(made)

    @given(data=st.binary(max_size=100))
    def test_noise_gives_a_typed_error(self, data: bytes) -> None:
        with pytest.raises(InvalidInputError):
            from_config_block(common_pb2.Block(data=common_pb2.BlockData(data=[data])))


class TestDurations:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0.2, "200ms"), (1.0, "1s"), (1.5, "1.5s"), (60.0, "1m0s"), (90.25, "1m30.25s"), (0.001, "1ms")],
    )
    def test_as_go_writes_them(self, seconds: float, text: str) -> None:
        assert go_duration(seconds) == text
        assert parse_duration(text) == pytest.approx(seconds)

    @pytest.mark.parametrize("text", ["", "2", "s", "-1s", "2 s", "1s x", "0s", "1e9s"])
    def test_what_is_no_duration(self, text: str) -> None:
        with pytest.raises(InvalidInputError):
            parse_duration(text)

    def test_under_a_millisecond_is_refused(self) -> None:
        with pytest.raises(InvalidInputError):
            go_duration(0.0001)
