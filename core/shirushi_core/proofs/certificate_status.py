r"""Statuses in the status tree: of whole batches, and of the certificates in them.

A batch's key in the status tree is its id. The value of a batch is

    SHA-256("shirushi/status-batch/v1\0" ‖ record hash ‖ certificates)

the record hash being SHA-256 of the batch's own canonical status record, or mark (32 zero bytes if it has neither), and
`certificates` the root of a tree of its own, from the commitments of its certificates to their record hashes. So a single proof
says of a whole batch that nothing in it was ever changed, and the receipts of a batch share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.merkle import HASH_SIZE, ProofError
from shirushi_core.proofs.status import StatusRecord
from shirushi_core.proofs.status_tree import (
    EMPTY,
    NodeReader,
    NodeStore,
    Reader,
    StatusProof,
    insert,
    prove,
    proved_root,
    verify_status,
)
from shirushi_core.proofs.unjudged import Mark

_BATCH_DOMAIN = b"shirushi/status-batch/v1\0"
MAX_PROOF_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class StatusesProof:
    """What a status tree says of a certificate and its batch.

    `batch` is about the batch id in the status tree; `record` the hash of the batch's own record, EMPTY if it has none, and
    `certificate` about the commitment in the batch's tree, both None if the batch is not there.

    Bytes: those of `batch`; if the batch is there, `record` and the bytes of `certificate`.
    """

    batch: StatusProof
    record: bytes | None = None
    certificate: StatusProof | None = None

    def to_bytes(self, batch_id: bytes, commitment: bytes) -> bytes:
        """Return the byte form of the proof for a certificate."""
        head = self.batch.to_bytes(batch_id)
        if self.record is None or self.certificate is None:
            return head
        return head + self.record + self.certificate.to_bytes(commitment)

    @classmethod
    def from_bytes(cls, data: bytes, batch_id: bytes, commitment: bytes) -> StatusesProof:
        """Parse the byte form strictly; raises InvalidInputError."""
        if len(data) > MAX_PROOF_BYTES:
            raise InvalidInputError(
                f"status proof: expected at most {MAX_PROOF_BYTES} bytes, found {len(data)}"
            )
        reader = Reader(data)
        batch = StatusProof.read(reader, batch_id)
        proof = cls(batch)
        if batch.found is not None and batch.found[0] == batch_id:
            proof = cls(batch, reader.take(HASH_SIZE), StatusProof.read(reader, commitment))
        reader.end()
        return proof


def record_hash(record: StatusRecord | Mark) -> bytes:
    """Return SHA-256 of a record's canonical JSON."""
    return sha256(encode(record.to_json())).digest()


def set_place(
    store: NodeStore, root: bytes, batch_id: bytes, commitment: bytes | None, digest: bytes
) -> bytes:
    """Return the root of the status tree with the place of a certificate, or of a batch (None), set to a record's hash.

    EMPTY takes a batch's own record away. Raises ProofError if a node is missing from the store.
    """
    own, certificates = _of_batch(store, prove(store, root, batch_id), batch_id)
    if commitment is None:
        own = digest
    else:
        certificates = insert(store, certificates, commitment, digest)
    value = _batch_value(own, certificates)
    store.put(value, own + certificates)
    return insert(store, root, batch_id, value)


def find_place(store: NodeReader, root: bytes, batch_id: bytes, commitment: bytes | None) -> bytes:
    """Return the record's hash in the place of a certificate, or of a batch (None), EMPTY if it holds nothing.

    Raises ProofError if a node is missing from the store.
    """
    own, certificates = _of_batch(store, prove(store, root, batch_id), batch_id)
    if commitment is None:
        return own
    found = prove(store, certificates, commitment).found
    return found[1] if found is not None and found[0] == commitment else EMPTY


def prove_statuses(store: NodeReader, root: bytes, batch_id: bytes, commitment: bytes) -> StatusesProof:
    """Return the proof of what a tree says of a certificate; raises ProofError if a node is missing from the store."""
    batch = prove(store, root, batch_id)
    if batch.found is None or batch.found[0] != batch_id:
        return StatusesProof(batch)
    own, certificates = _of_batch(store, batch, batch_id)
    return StatusesProof(batch, own, prove(store, certificates, commitment))


def verify_statuses(
    proof: StatusesProof, root: bytes, batch_id: bytes, commitment: bytes
) -> tuple[bytes | None, bytes | None]:
    """Return the hashes of the batch's own record and of the certificate's, None where there is none; raises ProofError."""
    value = verify_status(proof.batch, root, batch_id)
    if value is None:
        if proof.record is not None or proof.certificate is not None:
            raise ProofError("status proof: it goes on behind a batch that is not there")
        return None, None
    if proof.record is None or proof.certificate is None:
        raise ProofError("status proof: it stops at the batch")
    certificates = proved_root(proof.certificate, commitment)
    if _batch_value(proof.record, certificates) != value:
        raise ProofError("status proof: its parts are not of one batch")
    own = None if proof.record == EMPTY else proof.record
    return own, verify_status(proof.certificate, certificates, commitment)


def _of_batch(store: NodeReader, proof: StatusProof, batch_id: bytes) -> tuple[bytes, bytes]:
    if proof.found is None or proof.found[0] != batch_id:
        return EMPTY, EMPTY
    data = store.get(proof.found[1])
    if data is None or len(data) != 2 * HASH_SIZE:
        raise ProofError(f"status tree: the store has nothing of batch {batch_id.hex()}")
    return data[:HASH_SIZE], data[HASH_SIZE:]


def _batch_value(record: bytes, certificates: bytes) -> bytes:
    return sha256(_BATCH_DOMAIN + record + certificates).digest()
