"""`set_status`: the issuer's own certificates, shown to be in their batch, along the allowed ways, once."""

from __future__ import annotations

import dataclasses

import pytest
from tests.support.anchors_ledger import START, WINDOW

from shirushi_core.proofs.issuer import IssuerState
from shirushi_core.proofs.status import StatusRecord

CLOSED = {"status": "valid", "reason": "investigation_closed"}
SUSPENDED = {"status": "suspended", "reason": "under_investigation"}


@pytest.fixture
async def issued(ledger, city):
    """The city's batch of three certificates is anchored."""
    await ledger.submit(city.submitter, "issue", city.issuance())
    return city


async def status_of(ledger, party, index=0):
    change = party.change(index)
    target = {"batch_id": change["batch_id"], "commitment": change["commitment"]}
    return (await ledger.simulate(party.submitter, "get_status", target)).result


async def test_a_certificate_is_revoked(ledger, issued):
    outcome = await ledger.submit(issued.submitter, "set_status", issued.request(issued.change()))
    assert outcome.result["change_id"] == "change-1"
    (record,) = outcome.result["records"]
    parsed = StatusRecord.from_json(record)
    assert parsed.commitment == issued.commitments()[0]
    assert (parsed.status, parsed.changed_at, parsed.tx_id) == ("revoked", START, outcome.stub.tx_id)
    assert outcome.entries == [{"kind": "revocation", "record": record}]
    assert (await status_of(ledger, issued))["certificate_status"] == record


async def test_a_change_touches_its_own_keys_only(ledger, issued):
    outcome = await ledger.submit(issued.submitter, "set_status", issued.request(issued.change()))
    change = issued.change()
    status_key = f"status/{change['batch_id']}/{change['commitment']}"
    assert sorted(outcome.stub.writes) == [
        "change/iizuka-city/change-1",
        status_key,
        f"tick/{START // 300:012d}",
    ]
    assert sorted(outcome.stub.reads) == [
        f"batch/{change['batch_id']}",
        "change/iizuka-city/change-1",
        "issuer/iizuka-city",
        status_key,
    ]


async def test_changes_of_different_certificates_at_once_do_not_conflict(ledger, issued):
    outcomes = [
        await ledger.simulate(
            issued.submitter, "set_status", issued.request(issued.change(n), change_id=f"c{n}")
        )
        for n in (None, 0, 1)
    ]
    assert [ledger.commit(outcome) for outcome in outcomes] == [True, True, True]


async def test_two_changes_of_one_certificate_at_once_do_not_both_commit(ledger, issued):
    revoke = await ledger.simulate(issued.submitter, "set_status", issued.request(issued.change()))
    suspend = await ledger.simulate(
        issued.submitter, "set_status", issued.request(issued.change(**SUSPENDED), change_id="change-2")
    )
    assert ledger.commit(revoke)
    assert not ledger.commit(suspend)


async def test_many_changes_are_made_together_or_not_at_all(ledger, issued):
    good, bad = issued.change(0), issued.change(1, commitment="00" * 32)
    refused = await ledger.submit(issued.submitter, "set_status", issued.request(good, bad))
    assert refused.code == "PROOF_INVALID"
    assert "change 1: " in refused.response.message
    assert (await status_of(ledger, issued, 0))["certificate_status"] is None
    done = await ledger.submit(issued.submitter, "set_status", issued.request(good, issued.change(2)))
    assert [record["commitment"] for record in done.result["records"]] == [
        issued.commitments()[n].hex() for n in (0, 2)
    ]
    assert len(done.entries) == 2


async def test_a_thousand_changes_fit_and_one_more_does_not(ledger, city):
    size = 1001
    await ledger.submit(city.submitter, "issue", city.issuance(size))
    changes = [city.change(n, size) for n in range(size)]
    over = await ledger.submit(city.submitter, "set_status", city.request(*changes))
    assert over.code == "INVALID_ARGUMENT"
    done = await ledger.submit(city.submitter, "set_status", city.request(*changes[:1000]))
    assert len(done.result["records"]) == 1000
    again = await ledger.submit(city.submitter, "set_status", city.request(*changes[:1000]))
    assert again.result == done.result


async def test_a_whole_batch_and_a_certificate_in_it_have_independent_records(ledger, issued):
    await ledger.submit(
        issued.submitter, "set_status", issued.request(issued.change(None, **SUSPENDED), change_id="b")
    )
    await ledger.submit(issued.submitter, "set_status", issued.request(issued.change(0), change_id="c"))
    await ledger.submit(
        issued.submitter, "set_status", issued.request(issued.change(None, **CLOSED), change_id="d")
    )
    status = await status_of(ledger, issued)
    assert status["batch_status"]["status"] == "valid"
    assert status["certificate_status"]["status"] == "revoked"
    assert (await status_of(ledger, issued, 1))["certificate_status"] is None


async def test_a_suspended_certificate_is_reinstated_and_its_history_tells(ledger, issued):
    for n, change in enumerate([SUSPENDED, CLOSED, SUSPENDED, {"status": "revoked"}]):
        ledger.now = START + n
        await ledger.submit(
            issued.submitter, "set_status", issued.request(issued.change(0, **change), change_id=f"c{n}")
        )
    change = issued.change()
    history = await ledger.simulate(
        issued.submitter,
        "get_history",
        {"batch_id": change["batch_id"], "commitment": change["commitment"]},
    )
    assert [record["status"] for record in history.result] == ["suspended", "valid", "suspended", "revoked"]
    assert [record["changed_at"] for record in history.result] == [START + n for n in range(4)]


@pytest.mark.parametrize(
    ("steps", "refused"),
    [
        ([], "valid"),
        (["suspended"], "suspended"),
        (["revoked"], "valid"),
        (["revoked"], "suspended"),
        (["revoked"], "revoked"),
        (["suspended", "revoked"], "valid"),
    ],
)
async def test_a_change_the_present_status_does_not_allow_is_refused(ledger, issued, steps, refused):
    for n, status in enumerate(steps):
        done = await ledger.submit(
            issued.submitter, "set_status", issued.request(issued.change(status=status), change_id=f"c{n}")
        )
        assert done.result
    outcome = await ledger.submit(
        issued.submitter, "set_status", issued.request(issued.change(status=refused), change_id="last")
    )
    assert outcome.code == "STATUS_REFUSED"


async def test_the_same_request_again_returns_the_first_result_and_writes_nothing(ledger, issued):
    request = issued.request(issued.change())
    first = await ledger.submit(issued.submitter, "set_status", request)
    again = await ledger.submit(issued.submitter, "set_status", request, at=START + 60)
    assert again.result == first.result
    assert again.stub.writes == {}
    assert again.stub.event is None


async def test_the_same_change_id_with_other_content_is_refused(ledger, issued):
    await ledger.submit(issued.submitter, "set_status", issued.request(issued.change()))
    other = await ledger.submit(issued.submitter, "set_status", issued.request(issued.change(1)))
    assert other.code == "CHANGE_EXISTS"


async def test_one_issuers_change_ids_do_not_stand_in_anothers_way(ledger, issued, academy):
    await ledger.submit(academy.submitter, "issue", academy.issuance())
    for party in (academy, issued):
        outcome = await ledger.submit(party.submitter, "set_status", party.request(party.change()))
        assert outcome.result["records"]


async def test_an_issuer_cannot_change_anothers_certificates(ledger, issued, academy):
    own_name = academy.request(issued.change())
    assert (await ledger.submit(academy.submitter, "set_status", own_name)).code == "NOT_BATCH_ISSUER"
    others_name = issued.request(issued.change())
    assert (await ledger.submit(academy.submitter, "set_status", others_name)).code == "NOT_ISSUER"
    whole_batch = academy.request(issued.change(None))
    assert (await ledger.submit(academy.submitter, "set_status", whole_batch)).code == "NOT_BATCH_ISSUER"


async def test_another_client_of_the_same_member_cannot_change_a_status(consortium, issued):
    other = consortium.client("IizukaMSP", "other")
    outcome = await consortium.ledger.submit(other, "set_status", issued.request(issued.change()))
    assert outcome.code == "NOT_ISSUER"


async def test_a_key_out_of_its_window_cannot_change_a_status(ledger, issued):
    ledger.now = WINDOW[1] + 1
    outcome = await ledger.submit(issued.submitter, "set_status", issued.request(issued.change()))
    assert outcome.code == "KEY_NOT_IN_WINDOW"


async def test_a_retired_issuer_can_still_revoke_what_it_issued(consortium, issued):
    await consortium.adopt(dataclasses.replace(issued.record, sequence=2, state=IssuerState.RETIRED))
    outcome = await consortium.ledger.submit(issued.submitter, "set_status", issued.request(issued.change()))
    assert outcome.result["records"][0]["status"] == "revoked"


async def test_only_commitments_of_the_batch_can_get_a_status(ledger, issued):
    own, other = issued.change(0), issued.change(1)
    forgeries = [
        own | {"commitment": other["commitment"]},
        own | {"index": 1},
        own | {"index": 3},
        own | {"index": -1},
        own | {"path": other["path"]},
        own | {"path": []},
        own | {"path": [*own["path"], "00" * 32]},
    ]
    for forgery in forgeries:
        outcome = await ledger.submit(issued.submitter, "set_status", issued.request(forgery))
        assert outcome.code == "PROOF_INVALID"


async def test_a_batch_that_was_never_anchored_has_no_status(ledger, city):
    outcome = await ledger.submit(city.submitter, "set_status", city.request(city.change()))
    assert outcome.code == "BATCH_NOT_FOUND"


@pytest.mark.parametrize(
    ("effective_at", "allowed"),
    [(START - 1, False), (START, True), (START + 10 + 300, True), (START + 10 + 301, False)],
)
async def test_a_change_takes_effect_between_issuance_and_now(ledger, issued, effective_at, allowed):
    ledger.now = START + 10
    request = issued.request(issued.change(effective_at=effective_at))
    outcome = await ledger.submit(issued.submitter, "set_status", request)
    if allowed:
        assert outcome.result["records"][0]["effective_at"] == effective_at
    else:
        assert outcome.code == "EFFECTIVE_AT_REFUSED"


def superseded_by(party, index=1, size=3, **changes):
    successor = party.change(index, size)
    return {
        "status": "superseded",
        "reason": "data_corrected",
        "successor": {"batch_id": successor["batch_id"], "commitment": successor["commitment"]} | changes,
    }


async def test_a_superseded_certificate_names_its_successor(ledger, issued):
    await ledger.submit(issued.submitter, "issue", issued.issuance(2))
    change = issued.change(0, **superseded_by(issued, 0, size=2))
    outcome = await ledger.submit(issued.submitter, "set_status", issued.request(change))
    assert outcome.result["records"][0]["successor"] == change["successor"]


async def test_a_successor_that_does_not_fit_is_refused(ledger, issued, academy):
    await ledger.submit(academy.submitter, "issue", academy.issuance())
    misfits = [
        issued.change(0, status="superseded"),
        issued.change(0, **superseded_by(issued) | {"status": "revoked"}),
        issued.change(0, **superseded_by(issued, batch_id="00" * 32)),
        issued.change(0, **superseded_by(academy)),
        issued.change(0, **superseded_by(issued, 0)),
        issued.change(None, **superseded_by(issued, 1)),
    ]
    for misfit in misfits:
        outcome = await ledger.submit(issued.submitter, "set_status", issued.request(misfit))
        assert outcome.code == "SUCCESSOR_REFUSED"


@pytest.mark.parametrize(
    "change",
    [
        {"status": "expired"},
        {"reason": "because"},
        {"effective_at": -1},
        {"effective_at": "now"},
        {"path": None},
        {"index": None},
        {"commitment": "AB" * 32},
        {"commitment": None},
        {"successor": "x"},
        {"batch_id": None},
        {"name": "飯塚 太郎"},
    ],
    ids=str,
)
async def test_an_ill_formed_change_is_refused(ledger, issued, change):
    request = issued.request(issued.change() | change)
    assert (await ledger.submit(issued.submitter, "set_status", request)).code == "INVALID_ARGUMENT"


async def test_ill_formed_requests_are_refused(ledger, issued):
    change = issued.change()
    for request in (
        issued.request(),
        issued.request(change, change),
        issued.request(change, change_id=""),
        issued.request(change, change_id="a/b"),
        issued.request(change, change_id="x" * 65),
        issued.request(change) | {"issuer": "Iizuka"},
        issued.request(change) | {"note": ""},
    ):
        assert (await ledger.submit(issued.submitter, "set_status", request)).code == "INVALID_ARGUMENT"
