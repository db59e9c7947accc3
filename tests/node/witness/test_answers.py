"""What a witness answers about issuers and marks: proved under the root in the last status entry of the head."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.node.witness.test_derivation import forge
from tests.support.anchored_chain import AnchoredChain
from tests.support.derived_chain import committed
from tests.support.witnesses import keys_of

from shirushi_core.fabric.rwset import Write
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.issuer_standing import verify_standing
from shirushi_core.proofs.log_evidence import verify_certificate_statuses, verify_status_entry
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.unjudged import Mark, anchor_key, issuer_key
from shirushi_core.proofs.witness_protocol import ProofsAnswer, ProofsRequest
from shirushi_node.witness import proofs
from shirushi_node.witness.follower import prepare
from shirushi_node.witness.records import Head
from shirushi_node.witness.signing import log_note
from shirushi_node.witness.store import LogStore


def answered(
    chain: AnchoredChain, folder: Path, request: ProofsRequest, head: int = -1
) -> tuple[ProofsAnswer, bytes]:
    """Ask a store that has taken the whole chain in, and verify what is in the answer's last entry."""
    blocks = [committed(block) for block in chain.blocks]
    store = LogStore.open(folder, blocks[0])
    try:
        ready, _ = prepare(store, blocks[1:], lambda: False)
        heads = store.commit(ready).heads if ready else ()

        def note(at: Head) -> SignedNote:
            return log_note(Checkpoint(store.origin, at.size, at.root), keys_of("org1"))

        answer = ProofsAnswer.from_bytes(proofs.answer(store, request, heads[head], note).to_bytes())
    finally:
        store.close()
    return answer, verify_status_entry(answer.status_entry, answer.head.checkpoint)


async def registered(chain: AnchoredChain, version: str) -> None:
    chain.define(version)
    await chain.register()
    await chain.issue(3)


@pytest.mark.parametrize("issuer", ["iizuka", "nobody"])
async def test_an_issuers_standing_is_proved_under_heads_by_version_2(
    chain: AnchoredChain, tmp_path: Path, issuer: str
) -> None:
    await registered(chain, "2.0")
    answer, root = answered(chain, tmp_path / "w", ProofsRequest(issuers=((issuer, 1), (issuer, 2))))
    (standing,) = answer.standings
    record = verify_standing(standing, root, issuer)
    assert record == (chain.city.record if issuer == "iizuka" else None)
    assert answer.status_entry.entry.time == chain.contract.now


async def test_under_heads_by_version_1_there_is_none(chain: AnchoredChain, tmp_path: Path) -> None:
    await registered(chain, "1.0")
    answer, _ = answered(chain, tmp_path / "w", ProofsRequest(issuers=(("iizuka", 1),)))
    assert answer.standings == ()
    assert answer.issuers[0] is not None


async def test_a_mark_is_answered_in_place_of_the_record(chain: AnchoredChain, tmp_path: Path) -> None:
    await registered(chain, "2.0")
    batch, commitment = chain.city.statement(3).batch_id, chain.city.commitments(3)[0]
    forge(chain, [Write(anchor_key(batch), b"x"), Write(issuer_key("iizuka"), b"x")])
    request = ProofsRequest(issuers=(("iizuka", 1),), statuses=((batch, commitment),))
    answer, root = answered(chain, tmp_path / "w", request)
    marked = verify_standing(answer.standings[0], root, "iizuka")
    assert isinstance(marked, Mark)
    assert marked.beneath is not None
    statuses = verify_certificate_statuses(answer.statuses[0], root, batch, commitment)
    assert isinstance(statuses.batch, Mark)
    before, earlier = answered(chain, tmp_path / "again", request, head=-2)
    assert isinstance(verify_standing(before.standings[0], earlier, "iizuka"), IssuerRecord)
