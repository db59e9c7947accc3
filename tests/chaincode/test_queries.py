"""The queries: they answer from committed state and write nothing."""

from __future__ import annotations

import pytest
from tests.support.anchors_ledger import START

ABSENT = "00" * 32


@pytest.fixture
async def issued(ledger, city):
    await ledger.submit(city.submitter, "issue", city.issuance())
    return city


async def test_a_batch_is_returned_as_it_was_anchored(ledger, city):
    anchored = await ledger.submit(city.submitter, "issue", city.issuance())
    batch_id = city.statement().batch_id.hex()
    found = await ledger.simulate(city.submitter, "get_batch", {"batch_id": batch_id})
    assert found.result == anchored.result


async def test_a_certificate_without_records_has_none(ledger, issued):
    change = issued.change()
    target = {"batch_id": change["batch_id"], "commitment": change["commitment"]}
    status = await ledger.simulate(issued.submitter, "get_status", target)
    assert status.result == target | {"batch_status": None, "certificate_status": None}
    assert (await ledger.simulate(issued.submitter, "get_history", target)).result == []


async def test_a_whole_batchs_status_and_history_are_asked_for_without_a_commitment(ledger, issued):
    change = issued.change(None)
    done = await ledger.submit(issued.submitter, "set_status", issued.request(change))
    target = {"batch_id": change["batch_id"], "commitment": None}
    status = (await ledger.simulate(issued.submitter, "get_status", target)).result
    assert status == target | {"batch_status": done.result["records"][0], "certificate_status": None}
    assert (await ledger.simulate(issued.submitter, "get_history", target)).result == done.result["records"]


@pytest.mark.parametrize("function", ["get_batch", "get_status", "get_history"])
async def test_an_unknown_batch_is_said_to_be_unknown(ledger, city, function):
    argument = {"batch_id": ABSENT} | ({} if function == "get_batch" else {"commitment": ABSENT})
    assert (await ledger.simulate(city.submitter, function, argument)).code == "BATCH_NOT_FOUND"


@pytest.mark.parametrize(
    ("function", "extra"), [("get_issuer", {}), ("list_batches", {"bookmark": "", "page_size": 1})]
)
async def test_an_unknown_issuer_is_said_to_be_unknown(ledger, city, function, extra):
    outcome = await ledger.simulate(city.submitter, function, {"issuer": "nobody"} | extra)
    assert outcome.code == "ISSUER_NOT_FOUND"


async def test_batches_are_listed_per_issuer_in_the_order_of_time(ledger, city, academy):
    times = {3: START + 2, 1: START, 4: START + 30, 2: START + 1}
    for size, at in times.items():
        await ledger.submit(city.submitter, "issue", city.issuance(size), at=at)
    await ledger.submit(academy.submitter, "issue", academy.issuance())
    listed, bookmark = [], ""
    for _ in range(2):
        page = await ledger.simulate(
            city.submitter,
            "list_batches",
            {"bookmark": bookmark, "issuer": "iizuka-city", "page_size": 2},
        )
        listed += page.result["batches"]
        bookmark = page.result["bookmark"]
    assert bookmark == ""
    assert [anchor["statement"]["size"] for anchor in listed] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "page",
    [
        {"bookmark": "", "page_size": 0},
        {"bookmark": "", "page_size": 101},
        {"bookmark": "", "page_size": "10"},
        {"bookmark": None, "page_size": 1},
        {"bookmark": "x" * 513, "page_size": 1},
        {"bookmark": "batch/", "page_size": 1},
        {"bookmark": "issued/haw-academy/", "page_size": 1},
        {"page_size": 1},
    ],
    ids=str,
)
async def test_ill_formed_pages_are_refused(ledger, city, page):
    outcome = await ledger.simulate(city.submitter, "list_batches", {"issuer": "iizuka-city"} | page)
    assert outcome.code == "INVALID_ARGUMENT"


async def test_queries_write_nothing(ledger, issued):
    target = {"batch_id": issued.statement().batch_id.hex(), "commitment": None}
    page = {"bookmark": "", "page_size": 5}
    queries = {
        "get_batch": {"batch_id": target["batch_id"]},
        "get_status": target,
        "get_history": target,
        "get_issuer": {"issuer": "iizuka-city"},
        "list_issuers": page,
        "list_batches": page | {"issuer": "iizuka-city"},
        "list_proposals": page,
    }
    for function, argument in queries.items():
        outcome = await ledger.simulate(issued.submitter, function, argument)
        assert outcome.response.status == 200, outcome.response.message
        assert outcome.stub.writes == {}
        assert outcome.stub.event is None
