"""A genesis block with Raft ordering, made of one that our network floor builds for BFT: the same members and policies.

Source: orderer/etcdraft/configuration.proto, sampleconfig/configtx.yaml (EtcdRaft, OrdererDefaults).
"""

from __future__ import annotations

from collections.abc import Callable

from fabric_protos.common import common_pb2, configtx_pb2, configuration_pb2, policies_pb2
from fabric_protos.orderer import configuration_pb2 as orderer_pb2
from fabric_protos.orderer.etcdraft import configuration_pb2 as etcdraft_pb2

from shirushi_core.fabric.block import new_block
from shirushi_core.fabric.config_groups import encoded, set_policy, set_value

OPTIONS = etcdraft_pb2.Options(
    tick_interval="500ms",
    election_tick=10,
    heartbeat_tick=1,
    max_inflight_blocks=5,
    snapshot_interval_size=16 << 20,
)
"""What configtxgen writes unless it is told otherwise."""


def with_raft(genesis: common_pb2.Block) -> common_pb2.Block:
    """Return the genesis block of the same channel with Raft in the place of BFT, the same orderers being consenters.

    A block is valid with one orderer's signature (ANY Writers), as in Fabric's samples; how blocks are cut stays, and is up
    to BatchTimeout now.
    """

    def change(config: configtx_pb2.ConfigEnvelope) -> None:
        _order_by_raft(config.config.channel_group.groups["Orderer"])

    return _rewritten(genesis, change)


def _order_by_raft(group: configtx_pb2.ConfigGroup) -> None:
    orderers = configuration_pb2.Orderers.FromString(group.values["Orderers"].value)
    consenters = [
        etcdraft_pb2.Consenter(
            host=each.host,
            port=each.port,
            client_tls_cert=each.client_tls_cert,
            server_tls_cert=each.server_tls_cert,
        )
        for each in orderers.consenter_mapping
    ]
    metadata = etcdraft_pb2.ConfigMetadata(consenters=consenters, options=OPTIONS)
    consensus = orderer_pb2.ConsensusType(type="etcdraft", metadata=encoded(metadata))
    set_value(group, "ConsensusType", consensus)
    del group.values["Orderers"]
    any_writer = policies_pb2.ImplicitMetaPolicy(
        rule=policies_pb2.ImplicitMetaPolicy.ANY, sub_policy="Writers"
    )
    set_policy(group, "BlockValidation", policies_pb2.Policy.IMPLICIT_META, any_writer)


def _rewritten(
    block: common_pb2.Block, change: Callable[[configtx_pb2.ConfigEnvelope], None]
) -> common_pb2.Block:
    """Return a config block with its configuration changed and its hash right again."""
    envelope = common_pb2.Envelope.FromString(block.data.data[0])
    payload = common_pb2.Payload.FromString(envelope.payload)
    config = configtx_pb2.ConfigEnvelope.FromString(payload.data)
    change(config)
    payload.data = encoded(config)
    envelope.payload = encoded(payload)
    changed = new_block(block.header.number, block.header.previous_hash, [encoded(envelope)])
    changed.metadata.CopyFrom(block.metadata)
    return changed
