"""The C2SP form of inclusion proofs."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import merkle
from shirushi_core.proofs.checkpoint import Checkpoint, sign_as_log
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.tlog_proof import TlogProof, verify_tlog_proof

ENTRIES = [b"a", b"b", b"c", b"d", b"e"]
CHECKPOINT = Checkpoint("shirushi/shirushi-test", len(ENTRIES), merkle.root(ENTRIES))
NOTE = SignedNote(
    CHECKPOINT.to_text(), (sign_as_log(CHECKPOINT, Ed25519PrivateKey.from_private_bytes(bytes(32))),)
)
PROOF = TlogProof(2, tuple(merkle.inclusion_path(ENTRIES, 2)), NOTE)


def test_a_proof_is_written_as_the_specification_says() -> None:
    lines = PROOF.to_text().split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 2"]
    assert lines[5:7] == ["", "shirushi/shirushi-test"]
    assert PROOF.to_text().endswith(NOTE.to_text())


@pytest.mark.parametrize("extra", [None, b"", b"age-v1.2.1"])
def test_a_proof_is_read_back(extra: bytes | None) -> None:
    proof = TlogProof(2, PROOF.path, NOTE, extra)
    assert TlogProof.from_bytes(proof.to_text().encode()) == proof


def test_it_proves_its_entry_and_no_other() -> None:
    assert verify_tlog_proof(PROOF, b"c") == CHECKPOINT
    for wrong in (b"d", b""):
        with pytest.raises(merkle.ProofError):
            verify_tlog_proof(PROOF, wrong)
    with pytest.raises(merkle.ProofError):
        verify_tlog_proof(TlogProof(3, PROOF.path, NOTE), b"c")


def test_the_only_entry_of_a_log_has_an_empty_path() -> None:
    checkpoint = Checkpoint("shirushi/x", 1, merkle.root([b"a"]))
    note = SignedNote(checkpoint.to_text(), NOTE.signatures)
    text = TlogProof(0, (), note).to_text()
    assert text.startswith("c2sp.org/tlog-proof@v1\nindex 0\n\nshirushi/x\n1\n")
    assert verify_tlog_proof(TlogProof.from_bytes(text.encode()), b"a") == checkpoint


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("tlog-proof@v1", "tlog-proof@v2"),
        ("index 2", "index 02"),
        ("index 2", "index -1"),
        ("index 2\n", ""),
        ("index 2", "extra ?\nindex 2"),
        ("index 2\n", "index 2\nAAAA\n"),
        ("\n\nshirushi", "\nshirushi"),
    ],
)
def test_what_is_no_canonical_proof_is_refused(written: str, instead: str) -> None:
    text = PROOF.to_text()
    assert written in text
    with pytest.raises(InvalidInputError):
        TlogProof.from_bytes(text.replace(written, instead, 1).encode())


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_noise_gives_a_typed_error(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        TlogProof.from_bytes(data)
