"""Same input, same writes; and nothing on the ledger that could tell a certificate or a person."""

from __future__ import annotations

import copy
from hashlib import sha256

from tests.support.anchors_ledger import MEMBERS, Ledger

from shirushi_core.proofs.commitment import commitment
from shirushi_core.proofs.merkle import inclusion_path, root


async def rerun(consortium, outcome, state):
    """Run a transaction's proposal again, on a copy of the state it ran on."""
    ledger = Ledger(state=copy.deepcopy(state), members=list(reversed(consortium.ledger.members)))
    stub = copy.copy(outcome.stub)
    stub.reads, stub.range_reads, stub.writes, stub.event, stub._ledger = {}, {}, {}, None, ledger
    return await ledger.run(stub)


async def test_every_member_that_endorses_a_proposal_gets_the_same_bytes(consortium, city):
    ledger = consortium.ledger
    next_record = city.record.to_json() | {"sequence": 2}
    steps = [
        (city.submitter, "issue", city.issuance()),
        (city.submitter, "set_status", city.request(city.change(2), city.change(0), city.change(None))),
        (consortium.admins[MEMBERS[0]], "propose_issuer", {"record": next_record}),
        (consortium.admins[MEMBERS[1]], "propose_issuer", {"record": next_record}),
        (consortium.admins[MEMBERS[1]], "propose_issuer", {"record": next_record}),
        (consortium.admins[MEMBERS[2]], "propose_issuer", {"record": next_record}),
        (city.submitter, "tick", {}),
        (city.submitter, "get_time", {}),
        (city.submitter, "list_proposals", {"bookmark": "", "page_size": 10}),
    ]
    for who, function, argument in steps:
        before = copy.deepcopy(ledger.state)
        first = await ledger.submit(who, function, argument)
        second = await rerun(consortium, first, before)
        assert first.response.status == 200
        assert second.response == first.response
        assert list(second.stub.writes.items()) == list(first.stub.writes.items())
        assert second.stub.range_reads == first.stub.range_reads
        assert second.stub.event == first.stub.event


async def test_the_ledger_holds_no_salt_no_document_and_no_unsalted_hash(consortium, city):
    salts = [sha256(b"salt %d" % n).digest() for n in range(3)]
    documents = [f"所得証明書 飯塚 太郎 {n}".encode() for n in range(3)]
    digests = [sha256(document).digest() for document in documents]
    commitments = [commitment(*pair) for pair in zip(salts, digests, strict=True)]
    ledger = consortium.ledger
    await ledger.submit(city.submitter, "issue", city.issuance(root=root(commitments)))
    statement = city.statement(root=root(commitments))
    change = city.change(0) | {
        "batch_id": statement.batch_id.hex(),
        "commitment": commitments[0].hex(),
        "path": [node.hex() for node in inclusion_path(commitments, 0)],
    }
    revoked = await ledger.submit(city.submitter, "set_status", city.request(change))
    assert revoked.result
    everything = (
        b"\n".join(part for key, (value, _) in ledger.state.items() for part in (key.encode(), value))
        + (revoked.stub.event or ("", b""))[1]
    )
    assert commitments[0].hex().encode() in everything
    for secret in (*salts, *digests, *documents):
        assert secret not in everything
        assert secret.hex().encode() not in everything
    for untouched in commitments[1:]:  # a batch reveals nothing of certificates whose status never changed
        assert untouched.hex().encode() not in everything
