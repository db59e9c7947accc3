"""Blocks: header hash, data hash, metadata, orderer signatures, commit hash.

Source: protoutil/blockutils.go, protoutil/signer.go, orderer/consensus/smartbft, core/ledger/kvledger (commit hash).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fabric_protos.common import common_pb2

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.identity import SigningIdentity


class BlockError(ShirushiError):
    """A block whose number, hashes or signatures do not hold."""


@dataclass(frozen=True, slots=True)
class Consenter:
    """One BFT consenter as the channel configuration names it (common.Consenter)."""

    id: int
    msp_id: str
    identity_pem: bytes
    host: str
    port: int


def header_bytes(header: common_pb2.BlockHeader) -> bytes:
    """Return the ASN.1 DER encoding that is hashed and signed (number, previous hash, data hash)."""
    raise NotImplementedError


def header_hash(header: common_pb2.BlockHeader) -> bytes:
    """Return SHA-256 of the header's DER."""
    raise NotImplementedError


def data_hash(data: Sequence[bytes]) -> bytes:
    """Return SHA-256 over the concatenated envelopes."""
    raise NotImplementedError


def new_block(number: int, previous_hash: bytes, envelopes: Sequence[bytes]) -> common_pb2.Block:
    """Return a block with header and data set and empty metadata slots."""
    raise NotImplementedError


def sign_block(
    block: common_pb2.Block,
    *,
    last_config: int,
    orderers: Sequence[tuple[int, SigningIdentity]],
    nonces: Sequence[bytes],
) -> None:
    """Add SIGNATURES metadata as SmartBFT orderers do (IdentifierHeader with the consenter's id and a nonce)."""
    raise NotImplementedError


def verify_block_signatures(
    block: common_pb2.Block, consenters: Sequence[Consenter], quorum: int
) -> list[int]:
    """Return the ids of the distinct consenters whose signatures hold, at least `quorum` of them; raises BlockError."""
    raise NotImplementedError


def bft_quorum(n: int) -> int:
    """Return ceil((n + f + 1) / 2) with f = (n - 1) // 3: 4 for n = 5."""
    raise NotImplementedError


def validation_codes(block: common_pb2.Block) -> list[int]:
    """Return the TRANSACTIONS_FILTER as peer.TxValidationCode numbers; raises BlockError if its length is wrong."""
    raise NotImplementedError


def commit_hash(previous: bytes, filter_bytes: bytes, update_batch: bytes) -> bytes:
    """Return the commit hash of a block (kvledger: length-prefixed filter, deterministic updates, previous hash)."""
    raise NotImplementedError
