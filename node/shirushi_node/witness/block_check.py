"""Whether a block is the next one of the channel: pure decisions over a block and what came before it.

Orderers sign headers, and with them the data; which transactions are valid is the peer's own word, and the commit hash is the
peer's running total of it. So a peer whose validation went another way than it says is found out here, and a peer that
lies consistently is found out by the other members' heads.

Source: protoutil/blockutils.go (VerifyTransactionsAreWellFormed), orderer/common/cluster (BlockVerifierAssembler),
core/ledger/kvledger/kv_ledger.go (addBlockCommitHash).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fabric_protos.common import common_pb2
from fabric_protos.peer import transaction_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.block import (
    BlockError,
    bft_quorum,
    block_commit_hash,
    commit_hash,
    data_hash,
    header_hash,
    last_config_index,
    validation_codes,
    verify_block_signatures,
)
from shirushi_core.fabric.channel_config import ChannelConfig, from_config_block
from shirushi_core.fabric.envelope import (
    EndorserTransaction,
    EnvelopeError,
    OpenEnvelope,
    endorsed_action,
    open_envelope,
    read_transaction,
)
from shirushi_core.fabric.rwset import NamespaceRwSet, Version, decode_writes
from shirushi_core.fabric.state_updates import update_bytes
from shirushi_node.witness.errors import BlockCheckError

_KNOWN_CODES = frozenset(transaction_pb2.TxValidationCode.values())
_COMMIT_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class ChainState:
    """Where a chain of checked blocks stands: what the next block has to follow."""

    next_number: int
    header_hash: bytes
    commit_hash: bytes
    config_number: int
    config: ChannelConfig


@dataclass(frozen=True, slots=True)
class ValidTransaction:
    """A transaction that the peer found valid; `endorsed` is None for a configuration, and has no reads."""

    number: int
    envelope: OpenEnvelope
    endorsed: EndorserTransaction | None


@dataclass(frozen=True, slots=True)
class CheckedBlock:
    """A block that is the next one of its channel; `config` is what its transactions were validated by."""

    number: int
    config: ChannelConfig
    transactions: tuple[ValidTransaction, ...]
    after: ChainState
    config_block: bytes | None = None  # the block itself, if it brings a configuration


def check_genesis(block: common_pb2.Block, genesis: common_pb2.Block) -> CheckedBlock:
    """Return block 0 if it is the genesis block; raises BlockCheckError."""
    if block.header != genesis.header or list(block.data.data) != list(genesis.data.data):
        raise BlockCheckError(
            f"block 0 of the peer is not the genesis block of this ledger: expected the header hash "
            f"{header_hash(genesis.header).hex()}, found {header_hash(block.header).hex()}; "
            "the peer is of another channel"
        )
    if data_hash(block.data.data) != block.header.data_hash:
        raise BlockCheckError(
            "the genesis block is damaged: its data does not have the hash that its header names"
        )
    try:
        config = from_config_block(genesis)
    except InvalidInputError as error:
        raise BlockCheckError(f"the genesis block is damaged: {error}") from None
    return CheckedBlock(0, config, (), ChainState(1, header_hash(block.header), b"", 0, config))


def check_block(state: ChainState, block: common_pb2.Block) -> CheckedBlock:
    """Return a block taken apart if it follows; raises BlockCheckError naming the block and what differs.

    Checked are: number and previous hash, data hash, the orderers' quorum of signatures by the configuration in force, which
    config block they name as the newest, validation codes, and the commit hash. The commit hash is taken over as it is where
    it cannot be computed without the state or private data: if a valid transaction writes only the metadata of a key (its
    value is part of the hash), or touches a private data collection.
    """
    try:
        _check_header(state, block)
        codes = _check_codes(block)
        transactions = _valid_transactions(block, codes)
        config = _next_config(state, block, transactions)
        digest = _check_commit_hash(state, block, transactions)
    except (BlockError, InvalidInputError) as error:
        raise BlockCheckError(
            f"block {state.next_number} of the peer is not taken: {error}; compare the peer with another member's"
        ) from None
    number = state.next_number
    after = ChainState(
        next_number=number + 1,
        header_hash=header_hash(block.header),
        commit_hash=digest,
        config_number=state.config_number if config is None else number,
        config=config or state.config,
    )
    config_block = None if config is None else block.SerializeToString()
    return CheckedBlock(number, state.config, transactions, after, config_block)


def _check_header(state: ChainState, block: common_pb2.Block) -> None:
    header = block.header
    if header.number != state.next_number:
        raise BlockError(f"expected number {state.next_number}, found {header.number}")
    if header.previous_hash != state.header_hash:
        raise BlockError(
            f"expected the previous block's hash {state.header_hash.hex()}, found {header.previous_hash.hex()}"
        )
    computed = data_hash(block.data.data)
    if header.data_hash != computed:
        raise BlockError(
            f"expected the data hash {computed.hex()} by its data, found {header.data_hash.hex()}"
        )
    consenters = state.config.consenters
    if not consenters:
        raise BlockError("the channel's configuration names no consenters")
    verify_block_signatures(block, consenters, bft_quorum(len(consenters)))


def _check_codes(block: common_pb2.Block) -> list[int]:
    codes = validation_codes(block)
    unknown = [code for code in codes if code not in _KNOWN_CODES or code == transaction_pb2.NOT_VALIDATED]
    if unknown:
        raise BlockError(f"expected a validation code for each transaction, found {unknown[0]}")
    return codes


def _valid_transactions(block: common_pb2.Block, codes: Sequence[int]) -> tuple[ValidTransaction, ...]:
    found = []
    for number, (data, code) in enumerate(zip(block.data.data, codes, strict=True)):
        if code != transaction_pb2.VALID:
            continue
        try:
            envelope = open_envelope(common_pb2.Envelope.FromString(data))
            found.append(ValidTransaction(number, envelope, _endorsed(envelope)))
        except (DecodeError, EnvelopeError) as error:
            raise BlockError(f"transaction {number} is marked valid and is malformed: {error}") from None
    return tuple(found)


def _endorsed(envelope: OpenEnvelope) -> EndorserTransaction | None:
    if envelope.header.type != common_pb2.ENDORSER_TRANSACTION:
        return None
    return read_transaction(endorsed_action(envelope), decode_results=decode_writes)


def _next_config(
    state: ChainState, block: common_pb2.Block, transactions: Sequence[ValidTransaction]
) -> ChannelConfig | None:
    """Return the configuration that a config block brings; its orderers' signatures are by the one before."""
    is_config = any(each.envelope.header.type == common_pb2.CONFIG for each in transactions)
    newest = block.header.number if is_config else state.config_number
    if last_config_index(block) != newest:
        raise BlockError(
            f"expected block {newest} as the newest config block, the orderers name {last_config_index(block)}"
        )
    if not is_config:
        return None
    config = from_config_block(block)
    if config.channel_id != state.config.channel_id or config.sequence != state.config.sequence + 1:
        raise BlockError(
            f"expected configuration {state.config.sequence + 1} of channel {state.config.channel_id}, "
            f"found {config.sequence} of {config.channel_id}"
        )
    return config


def _check_commit_hash(
    state: ChainState, block: common_pb2.Block, transactions: Sequence[ValidTransaction]
) -> bytes:
    found = block_commit_hash(block)
    if len(found) != _COMMIT_HASH_BYTES:
        raise BlockError(f"expected a commit hash of {_COMMIT_HASH_BYTES} bytes, found {len(found)}")
    updates = _updates(block.header.number, transactions)
    if updates is None:
        return found
    codes = bytes(block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER])
    computed = commit_hash(state.commit_hash, codes, update_bytes(updates))
    if found != computed:
        raise BlockError(
            f"expected the commit hash {computed.hex()} by its valid transactions, found {found.hex()}"
        )
    return found


def _updates(
    number: int, transactions: Sequence[ValidTransaction]
) -> dict[str, dict[str, tuple[bytes | None, Version]]] | None:
    """Return what the valid transactions write, in order; None if that needs the state, or private data."""
    updates: dict[str, dict[str, tuple[bytes | None, Version]]] = {}
    for each in transactions:
        for rw_set in each.endorsed.rw_sets if each.endorsed else ():
            if rw_set.collections or _writes_metadata_only(rw_set):
                return None
            if rw_set.writes:
                keys = updates.setdefault(rw_set.namespace, {})
                keys.update(
                    (write.key, (write.value, Version(number, each.number))) for write in rw_set.writes
                )
    return updates


def _writes_metadata_only(rw_set: NamespaceRwSet) -> bool:
    return not rw_set.metadata_writes.keys() <= {write.key for write in rw_set.writes}
