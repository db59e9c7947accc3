"""Blocks: header hash, data hash, metadata, orderer signatures, commit hash.

Source: protoutil/blockutils.go, protoutil/signer.go, orderer/consensus/smartbft, core/ledger/kvledger (commit hash).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from fabric_protos.common import common_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.identity import Identity, SigningIdentity
from shirushi_core.fabric.signing import SignatureError, signing_key, verify
from shirushi_core.fabric.state_updates import varint

METADATA_SLOTS = len(common_pb2.BlockMetadataIndex.keys())
"""SIGNATURES, LAST_CONFIG, TRANSACTIONS_FILTER, ORDERER and COMMIT_HASH."""

_SEQUENCE, _INTEGER, _OCTET_STRING = 0x30, 0x02, 0x04


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
    number = header.number
    content = (
        _der(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))
        + _der(_OCTET_STRING, header.previous_hash)
        + _der(_OCTET_STRING, header.data_hash)
    )
    return _der(_SEQUENCE, content)


def header_hash(header: common_pb2.BlockHeader) -> bytes:
    """Return SHA-256 of the header's DER."""
    return hashlib.sha256(header_bytes(header)).digest()


def data_hash(data: Sequence[bytes]) -> bytes:
    """Return SHA-256 over the concatenated envelopes."""
    digest = hashlib.sha256()
    for envelope in data:
        digest.update(envelope)
    return digest.digest()


def new_block(number: int, previous_hash: bytes, envelopes: Sequence[bytes]) -> common_pb2.Block:
    """Return a block with header and data set and empty metadata slots."""
    return common_pb2.Block(
        header=common_pb2.BlockHeader(
            number=number, previous_hash=previous_hash, data_hash=data_hash(envelopes)
        ),
        data=common_pb2.BlockData(data=envelopes),
        metadata=common_pb2.BlockMetadata(metadata=[b""] * METADATA_SLOTS),
    )


def sign_block(
    block: common_pb2.Block,
    *,
    last_config: int,
    orderers: Sequence[tuple[int, SigningIdentity]],
    nonces: Sequence[bytes],
) -> None:
    """Add SIGNATURES metadata as SmartBFT orderers do (IdentifierHeader with the consenter's id and a nonce).

    Sets LAST_CONFIG too. There is one nonce of 24 bytes for each orderer; raises BlockError if the numbers differ.
    """
    if len(orderers) != len(nonces):
        raise BlockError(f"{len(orderers)} orderers sign the block, but there are {len(nonces)} nonces")
    index = common_pb2.LastConfig(index=last_config)
    value = common_pb2.OrdererBlockMetadata(last_config=index).SerializeToString()
    header = header_bytes(block.header)
    signatures = []
    for (consenter_id, identity), nonce in zip(orderers, nonces, strict=True):
        identifier = common_pb2.IdentifierHeader(identifier=consenter_id, nonce=nonce).SerializeToString()
        signature = identity.sign(value + identifier + header)
        signatures.append(common_pb2.MetadataSignature(signature=signature, identifier_header=identifier))
    metadata = block.metadata.metadata
    metadata[common_pb2.LAST_CONFIG] = common_pb2.Metadata(
        value=index.SerializeToString()
    ).SerializeToString()
    metadata[common_pb2.SIGNATURES] = common_pb2.Metadata(
        value=value, signatures=signatures
    ).SerializeToString()


def verify_block_signatures(
    block: common_pb2.Block, consenters: Sequence[Consenter], quorum: int
) -> list[int]:
    """Return the ids of the distinct consenters whose signatures hold, at least `quorum` of them; raises BlockError.

    Signatures of unknown consenters and ones that do not verify count for nothing, as in Fabric; so do those without
    an IdentifierHeader. Two ids of one identity are one consenter. The data is not looked at: compare its hash too.
    """
    signatures = _signatures(block)
    number = block.header.number
    header = header_bytes(block.header)
    by_id = {consenter.id: consenter for consenter in consenters}
    found: dict[tuple[str, bytes], int] = {}
    for each in signatures.signatures:
        if each.signature_header or not each.identifier_header:
            continue
        try:
            identifier = common_pb2.IdentifierHeader.FromString(each.identifier_header).identifier
        except DecodeError:
            raise BlockError(f"block {number} has a signature with a malformed IdentifierHeader") from None
        consenter = by_id.get(identifier)
        if consenter is None or (consenter.msp_id, consenter.identity_pem) in found:
            continue
        identity = Identity(consenter.msp_id, consenter.identity_pem)
        try:
            key = signing_key(identity.certificate.key)
            verify(key, each.signature, signatures.value + each.identifier_header + header)
        except (InvalidInputError, SignatureError):
            continue
        found[consenter.msp_id, consenter.identity_pem] = identifier
    if len(found) < quorum:
        raise BlockError(
            f"block {number} is signed by {len(found)} of {len(consenters)} consenters; {quorum} are needed"
        )
    return sorted(found.values())


def last_config_index(block: common_pb2.Block) -> int:
    """Return the number of the newest config block as the orderers signed it; raises BlockError."""
    try:
        value = common_pb2.OrdererBlockMetadata.FromString(_signatures(block).value)
    except DecodeError:
        raise BlockError(f"block {block.header.number} has malformed orderer metadata") from None
    return int(value.last_config.index)


def bft_quorum(n: int) -> int:
    """Return ceil((n + f + 1) / 2) with f = (n - 1) // 3: 4 for n = 5."""
    f = (n - 1) // 3
    return (n + f + 2) // 2


def validation_codes(block: common_pb2.Block) -> list[int]:
    """Return the TRANSACTIONS_FILTER as peer.TxValidationCode numbers; raises BlockError if its length is wrong."""
    codes = list(_metadata(block, common_pb2.TRANSACTIONS_FILTER))
    if len(codes) != len(block.data.data):
        raise BlockError(
            f"block {block.header.number} has {len(block.data.data)} transactions and {len(codes)} validation codes"
        )
    return codes


def commit_hash(previous: bytes, filter_bytes: bytes, update_batch: bytes) -> bytes:
    """Return the commit hash of a block (kvledger: length-prefixed filter, deterministic updates, previous hash).

    `update_batch` comes from state_updates.update_bytes; block 1 has no previous hash, and block 0 no commit hash.
    """
    return hashlib.sha256(varint(len(filter_bytes)) + filter_bytes + update_batch + previous).digest()


def block_commit_hash(block: common_pb2.Block) -> bytes:
    """Return the COMMIT_HASH of a committed block, empty for block 0; raises BlockError."""
    try:
        return bytes(common_pb2.Metadata.FromString(_metadata(block, common_pb2.COMMIT_HASH)).value)
    except DecodeError:
        raise BlockError(f"block {block.header.number} has a malformed commit hash") from None


def _signatures(block: common_pb2.Block) -> common_pb2.Metadata:
    try:
        message = common_pb2.Metadata.FromString(_metadata(block, common_pb2.SIGNATURES))
    except DecodeError:
        raise BlockError(f"block {block.header.number} has malformed SIGNATURES metadata") from None
    return message


def _metadata(block: common_pb2.Block, slot: int) -> bytes:
    metadata = block.metadata.metadata
    if len(metadata) <= slot:
        name = common_pb2.BlockMetadataIndex.Name(slot)
        raise BlockError(f"block {block.header.number} has no {name} metadata")
    return bytes(metadata[slot])


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content
