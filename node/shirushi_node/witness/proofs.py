"""The answers to requests for proofs, out of a witness's store; every proof of an answer is under one head."""

from __future__ import annotations

from collections.abc import Callable

from shirushi_core.proofs.canonical import decode_canonical
from shirushi_core.proofs.certificate_status import prove_statuses, verify_statuses
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.issuer_standing import IssuerStanding, read_standing, standing_key
from shirushi_core.proofs.log_evidence import (
    CertificateStatuses,
    Inclusion,
    RegisteredIssuer,
    StatusEntryProof,
)
from shirushi_core.proofs.log_evidence import Head as SignedCheckpoint
from shirushi_core.proofs.merkle import ProofError
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.status import StatusRecord
from shirushi_core.proofs.status_tree import prove
from shirushi_core.proofs.tiles import TileTree
from shirushi_core.proofs.unjudged import Mark, is_mark
from shirushi_core.proofs.witness_protocol import ProofsAnswer, ProofsRequest
from shirushi_node.witness.records import Head
from shirushi_node.witness.store import LogStore


def answer(
    store: LogStore, request: ProofsRequest, head: Head, note: Callable[[Head], SignedNote]
) -> ProofsAnswer:
    """Return the proofs that are asked for, under a head; raises ProofError if the store is damaged."""
    tree = store.tree()
    return ProofsAnswer(
        head=SignedCheckpoint(note(head)),
        status_entry=StatusEntryProof(head.status_entry, _path(tree, head.size - 1, head)),
        batches=tuple(_batch(store, tree, batch, head) for batch in request.batches),
        issuers=tuple(_issuer(store, tree, *issuer, head) for issuer in request.issuers),
        statuses=tuple(statuses(store, head, *status) for status in request.statuses),
        standings=()
        if head.time is None
        else tuple(standing(store, head, each) for each in request.standings),
    )


def standing(store: LogStore, head: Head, issuer: str) -> IssuerStanding:
    """Return what the status tree says of an issuer as of a head; raises ProofError if the store is damaged."""
    key = standing_key(issuer)
    proof = prove(store.nodes(), head.status_root, key)
    found = proof.found[1] if proof.found is not None and proof.found[0] == key else None
    record = None if found is None else read_standing(decode_canonical(_stored(store, found)))
    return IssuerStanding(proof.to_bytes(key), record)


def statuses(store: LogStore, head: Head, batch_id: bytes, commitment: bytes) -> CertificateStatuses:
    """Return what the status tree says of a certificate as of a head; raises ProofError if the store is damaged."""
    proof = prove_statuses(store.nodes(), head.status_root, batch_id, commitment)
    batch, certificate = verify_statuses(proof, head.status_root, batch_id, commitment)
    return CertificateStatuses(
        proof.to_bytes(batch_id, commitment), _record(store, batch), _record(store, certificate)
    )


def first_head_with(store: LogStore, batches: tuple[bytes, ...]) -> Head | None:
    """Return the first head that has all of these batches, None if one is not in the log."""
    sizes = []
    for batch_id in batches:
        known = store.batch(batch_id)
        if known is None:
            return None
        sizes.append(known[1])
    return store.head(max(sizes)) if sizes else store.newest_head()


def _batch(store: LogStore, tree: TileTree, batch_id: bytes, head: Head) -> Inclusion | None:
    known = store.batch(batch_id)
    if known is None or known[0] >= head.size:
        return None
    return Inclusion(known[0], _path(tree, known[0], head))


def _issuer(
    store: LogStore, tree: TileTree, issuer: str, sequence: int, head: Head
) -> RegisteredIssuer | None:
    index = store.issuer(issuer, sequence)
    if index is None or index >= head.size:
        return None
    entry = decode_canonical(store.entry(index))
    if not isinstance(entry, dict):
        raise ProofError(f"log entry {index} is not what the index says")
    return RegisteredIssuer(
        IssuerRecord.from_json(entry["record"]), Inclusion(index, _path(tree, index, head))
    )


def _path(tree: TileTree, index: int, head: Head) -> tuple[bytes, ...]:
    return tuple(tree.inclusion_path(index, head.size))


def _record(store: LogStore, digest: bytes | None) -> StatusRecord | Mark | None:
    if digest is None:
        return None
    value = decode_canonical(_stored(store, digest))
    return Mark.from_json(value) if is_mark(value) else StatusRecord.from_json(value)


def _stored(store: LogStore, digest: bytes) -> bytes:
    data = store.record(digest)
    if data is None:
        raise ProofError(f"the store has no record {digest.hex()}")
    return data
