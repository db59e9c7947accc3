"""A channel's configuration: MSPs, policies, orderer parameters, read out of a config or genesis block.

Source: common/channelconfig, common/configtx.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fabric_protos.common import common_pb2, configtx_pb2, configuration_pb2
from fabric_protos.msp import msp_config_pb2
from fabric_protos.orderer import configuration_pb2 as orderer_pb2
from google.protobuf.message import DecodeError, Message

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.block import Consenter
from shirushi_core.fabric.msp import Msp, MspManager
from shirushi_core.fabric.policy import PolicyTree

BLOCK_DATA_HASHING_WIDTH = 0xFFFFFFFF
"""The one width of the block data hash that Fabric supports: everything at once."""

_DURATION_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{0,9})?)(ns|us|µs|ms|s|m|h)")
_MAX_DURATION_PARTS = 6


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
    capabilities: frozenset[str]  # "Channel/V3_0", "Orderer/V2_0", "Application/V2_5"
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """What Fabric took and we cannot read, by its place in the configuration, and why: it costs the member whose it is, and nobody
    else. Identities of such an MSP are refused, such a policy is never satisfied."""


def from_config_block(block: common_pb2.Block) -> ChannelConfig:
    """Read the channel configuration out of a config (or genesis) block; raises InvalidInputError."""
    if len(block.data.data) != 1:
        raise InvalidInputError(
            f"a config block holds one envelope; block {block.header.number} has {len(block.data.data)}"
        )
    try:
        envelope = common_pb2.Envelope.FromString(block.data.data[0])
        payload = common_pb2.Payload.FromString(envelope.payload)
        header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
        if header.type != common_pb2.CONFIG:
            raise InvalidInputError(
                f"block {block.header.number} is no config block: its transaction is of type {header.type}"
            )
        message = configtx_pb2.ConfigEnvelope.FromString(payload.data)
    except DecodeError as error:
        raise InvalidInputError(f"malformed configuration block {block.header.number}: {error}") from None
    return from_config(header.channel_id, message.config)


def from_config(channel_id: str, config: configtx_pb2.Config) -> ChannelConfig:
    """Read the channel configuration out of a common.Config; raises InvalidInputError."""
    try:
        return read_config(channel_id, config)
    except InvalidInputError as error:
        raise InvalidInputError(f"configuration of channel {channel_id!r}: {error}") from None


def parse_duration(text: str) -> float:
    """Return the seconds of a Go duration ("2s", "1m30s", "200ms"); raises InvalidInputError unless positive."""
    parts = list(_DURATION_PART.finditer(text))
    if not parts or len(parts) > _MAX_DURATION_PARTS or "".join(part[0] for part in parts) != text:
        raise InvalidInputError(f"invalid duration {text!r}; expected for example 200ms or 2s")
    seconds = sum(float(part[1]) * _DURATION_UNITS[part[2]] for part in parts)
    if seconds <= 0:
        raise InvalidInputError(f"the duration {text!r} is not positive")
    return seconds


def read_config(channel_id: str, config: configtx_pb2.Config) -> ChannelConfig:
    """Read the channel configuration as from_config does, for callers that name the channel themselves."""
    root = config.channel_group
    _check_hashing(root)
    application, orderer = _group(root, "Application"), _group(root, "Orderer")
    application_msps, orderer_msps = dict(_org_msps(application)), dict(_org_msps(orderer))
    definitions: dict[str, bytes] = {}
    for msp_id, definition in (*application_msps.values(), *orderer_msps.values()):
        if definitions.setdefault(msp_id, definition) != definition:
            raise InvalidInputError(f"Attempted to define two different versions of MSP: {msp_id}")
    msps = _read_msps(definitions)
    policies = PolicyTree.from_group(root, msps)
    consensus = _value(orderer, "ConsensusType", orderer_pb2.ConsensusType)
    return ChannelConfig(
        channel_id=channel_id,
        sequence=config.sequence,
        config=config,
        msps=msps,
        policies=policies,
        application_orgs=tuple(sorted(msp_id for msp_id, _ in application_msps.values())),
        orderer_orgs=tuple(sorted(msp_id for msp_id, _ in orderer_msps.values())),
        consenters=_consenters(orderer),
        consensus_type=consensus.type,
        batch=_batch(orderer),
        capabilities=frozenset(_capabilities(root)),
        unreadable={
            **{f"MSP {name}": problem for name, problem in msps.unreadable.items()},
            **{f"policy {path}": problem for path, problem in policies.unreadable.items()},
        },
    )


def _read_msps(definitions: Mapping[str, bytes]) -> MspManager:
    """Read the MSPs by id; one that cannot be read is left out, and known by its id."""
    found, unreadable = [], {}
    for msp_id, definition in definitions.items():
        try:
            found.append(Msp.from_config(definition))
        except InvalidInputError as error:
            unreadable[msp_id] = str(error)
    return MspManager(found, unreadable)


def _check_hashing(root: configtx_pb2.ConfigGroup) -> None:
    algorithm = _value(root, "HashingAlgorithm", configuration_pb2.HashingAlgorithm).name
    if algorithm != "SHA256":
        raise InvalidInputError(f"Unknown hashing algorithm type: {algorithm}; expected SHA256")
    width = _value(root, "BlockDataHashingStructure", configuration_pb2.BlockDataHashingStructure).width
    if width != BLOCK_DATA_HASHING_WIDTH:
        raise InvalidInputError(
            f"the block data hashing width is {width}; only {BLOCK_DATA_HASHING_WIDTH} is supported"
        )


def _org_msps(group: configtx_pb2.ConfigGroup) -> Iterator[tuple[str, tuple[str, bytes]]]:
    """Yield each organisation's group name, MSP id and canonical MSPConfig bytes."""
    for name in sorted(group.groups):
        config = _value(group.groups[name], "MSP", msp_config_pb2.MSPConfig)
        try:
            msp_id = msp_config_pb2.FabricMSPConfig.FromString(config.config).name
        except DecodeError:
            msp_id = name  # nobody can read it; under this name it is said
        yield name, (msp_id, config.SerializeToString(deterministic=True))


def _consenters(orderer: configtx_pb2.ConfigGroup) -> tuple[Consenter, ...]:
    if "Orderers" not in orderer.values:
        return ()
    mapping = _value(orderer, "Orderers", configuration_pb2.Orderers).consenter_mapping
    return tuple(Consenter(each.id, each.msp_id, each.identity, each.host, each.port) for each in mapping)


def _batch(orderer: configtx_pb2.ConfigGroup) -> BatchParameters:
    size = _value(orderer, "BatchSize", orderer_pb2.BatchSize)
    timeout = _value(orderer, "BatchTimeout", orderer_pb2.BatchTimeout).timeout
    if not size.max_message_count or not 0 < size.preferred_max_bytes <= size.absolute_max_bytes:
        raise InvalidInputError(
            f"invalid batch size: {size.max_message_count} messages, preferred {size.preferred_max_bytes} bytes, "
            f"at most {size.absolute_max_bytes} bytes"
        )
    return BatchParameters(
        max_message_count=size.max_message_count,
        absolute_max_bytes=size.absolute_max_bytes,
        preferred_max_bytes=size.preferred_max_bytes,
        timeout_seconds=parse_duration(timeout),
    )


def _capabilities(root: configtx_pb2.ConfigGroup) -> Iterator[str]:
    levels = {"Channel": root, "Orderer": root.groups["Orderer"], "Application": root.groups["Application"]}
    for level, group in levels.items():
        if "Capabilities" in group.values:
            message = _value(group, "Capabilities", configuration_pb2.Capabilities)
            yield from (f"{level}/{name}" for name in message.capabilities)


def _group(root: configtx_pb2.ConfigGroup, name: str) -> configtx_pb2.ConfigGroup:
    if name not in root.groups:
        raise InvalidInputError(f"missing {name} configuration group")
    return root.groups[name]


def _value(group: configtx_pb2.ConfigGroup, key: str, kind: type[Message]) -> Any:
    """Return a group's value as a message (generated classes carry no types); raises InvalidInputError."""
    if key not in group.values:
        raise InvalidInputError(f"missing value {key}")
    try:
        return kind.FromString(group.values[key].value)
    except DecodeError:
        raise InvalidInputError(f"the value {key} is no {kind.DESCRIPTOR.name}") from None
