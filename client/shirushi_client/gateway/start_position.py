"""Where a stream of events begins: at a checkpoint, else at a block, else with the next commit."""

from __future__ import annotations

from typing import Any

from fabric_protos.orderer import ab_pb2

from shirushi_client.gateway.checkpoint import Checkpoint
from shirushi_core.errors import InvalidInputError

MAX_BLOCK_NUMBER = 2**64 - 1


def start_position(start_block: int | None, checkpoint: Checkpoint | None) -> Any:
    """Return the orderer.SeekPosition; a checkpoint that has a block beats a start block."""
    block_number = start_block
    if checkpoint is not None and checkpoint.block_number is not None:
        block_number = checkpoint.block_number
    if block_number is None:
        return ab_pb2.SeekPosition(next_commit=ab_pb2.SeekNextCommit())
    if not 0 <= block_number <= MAX_BLOCK_NUMBER:
        raise InvalidInputError(f"expected a block number from 0 to 2^64 - 1, found {block_number}")
    return ab_pb2.SeekPosition(specified=ab_pb2.SeekSpecified(number=block_number))


def after_transaction(checkpoint: Checkpoint | None) -> str:
    """Return the transaction to resume after, empty for none."""
    if checkpoint is None or checkpoint.block_number is None:
        return ""
    return checkpoint.transaction_id or ""
