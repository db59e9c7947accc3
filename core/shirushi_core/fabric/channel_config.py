"""A channel's configuration: MSPs, policies, orderer parameters, read out of a config or genesis block.

Source: common/channelconfig, common/configtx.
"""

from __future__ import annotations

from dataclasses import dataclass

from fabric_protos.common import common_pb2, configtx_pb2

from shirushi_core.fabric.block import Consenter
from shirushi_core.fabric.msp import MspManager
from shirushi_core.fabric.policy import PolicyTree


@dataclass(frozen=True, slots=True)
class BatchParameters:
    """How the orderer cuts blocks (orderer.BatchSize, BatchTimeout)."""

    max_message_count: int
    absolute_max_bytes: int
    preferred_max_bytes: int
    timeout_seconds: float


@dataclass(frozen=True)
class ChannelConfig:
    """What peers and orderers take from a channel's configuration."""

    channel_id: str
    sequence: int
    config: configtx_pb2.Config
    msps: MspManager
    policies: PolicyTree
    application_orgs: tuple[str, ...]  # MSP ids, sorted
    orderer_orgs: tuple[str, ...]
    consenters: tuple[Consenter, ...]
    consensus_type: str
    batch: BatchParameters
    capabilities: frozenset[str]


def from_config_block(block: common_pb2.Block) -> ChannelConfig:
    """Read the channel configuration out of a config (or genesis) block; raises InvalidInputError."""
    raise NotImplementedError


def from_config(channel_id: str, config: configtx_pb2.Config) -> ChannelConfig:
    """Read the channel configuration out of a common.Config; raises InvalidInputError."""
    raise NotImplementedError
