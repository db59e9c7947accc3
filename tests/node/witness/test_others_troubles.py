"""What one member chose, or somebody passed on, costs that one only."""

from __future__ import annotations

import dataclasses

import pytest
from tests.support.paper_log import BEGIN, KEYS, LEDGER, PaperLog, issuer_record

from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.checkpoint import cosigner_key
from shirushi_core.proofs.note import NoteError
from shirushi_core.proofs.trust_policy import cosigner_name
from shirushi_node.witness.comparison import read_note
from shirushi_node.witness.others import NoteClient
from shirushi_node.witness.settings import OtherWitness

KEY = cosigner_key(cosigner_name(LEDGER, "haw"), KEYS["haw"].cosigner.public_key().public_bytes_raw())


@pytest.mark.parametrize("root", [b"none", b"\xff", "印".encode(), b"\0"])
async def test_a_witness_with_a_tls_root_that_is_none_cannot_be_asked_and_stops_nobody(root: bytes) -> None:
    other = OtherWitness("haw", "https://haw.example", root, KEY, "Haw")
    client = NoteClient([other])
    try:
        with pytest.raises(ShirushiError, match=r"Haw's witness cannot be asked at .*: its TLS root is none"):
            await client.note(other, "checkpoint")
    finally:
        await client.close()


def test_a_line_that_was_added_to_a_note_takes_nothing_from_the_good_one() -> None:
    log = PaperLog()
    log.add_block(issuers=[issuer_record()])
    note = KEYS["haw"].signatures(log.checkpoint(), BEGIN)
    (own,) = note.of(KEY)
    bad = dataclasses.replace(own, signature=own.signature[:-1] + bytes([own.signature[-1] ^ 1]))
    for lines in ((own, bad), (bad, own)):
        assert read_note(dataclasses.replace(note, signatures=lines).to_text().encode(), KEY).time == BEGIN
    with pytest.raises(NoteError, match="does not hold"):
        read_note(dataclasses.replace(note, signatures=(bad,)).to_text().encode(), KEY)
