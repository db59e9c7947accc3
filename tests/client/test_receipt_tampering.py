"""What nobody can make of a receipt: flipped, cut, reordered, or put together with another's, it is never valid and never a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.paper_log import MEMBERS, PaperLog, trust_policy
from tests.support.paper_receipts import BEGIN, NOW, PaperCity, bare_receipts, digest

from shirushi_client.verifier.offline_verifier import OfflineVerifier
from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import Verdict
from shirushi_core.proofs.status import Status

pytestmark = pytest.mark.usefixtures("no_network")

Path = tuple[str | int, ...]

VERIFIER = OfflineVerifier(trust_policy(), clock=lambda: NOW)


def verdict_of(data: bytes, number: int = 0) -> Verdict | None:
    """Return the verdict on a receipt's bytes, None if they are no receipt."""
    try:
        receipt = Receipt.from_bytes(data)
    except InvalidInputError:
        return None
    return VERIFIER.verify_digest(digest(number), receipt).verdict


def a_city() -> PaperCity:
    """A city one of whose certificates is revoked, so that every certificate has a proof of its own status."""
    city = PaperCity()
    city.change(Status.REVOKED, 1)
    return city


def complete(city: PaperCity, number: int = 0) -> Receipt:
    """A receipt with everything in it that a receipt can have: issuer, quorum certificates, a second head, records."""
    return city.receipt(number, status_head=city.head(BEGIN + 2000, MEMBERS, quorum=True))


def reinstated() -> Receipt:
    city = PaperCity()
    city.change(Status.VALID)
    return complete(city)


CITY = a_city()
RECEIPTS = {"as issued": PaperCity().receipt(), "refreshed": complete(CITY), "reinstated": reinstated()}


@pytest.fixture(params=RECEIPTS)
def data(request: pytest.FixtureRequest) -> bytes:
    return RECEIPTS[request.param].to_bytes()


def test_as_they_are_they_are_valid(data: bytes) -> None:
    assert verdict_of(data) is Verdict.VALID


@pytest.mark.parametrize("bit", [0, 5])
def test_with_any_byte_changed_it_is_not(data: bytes, bit: int) -> None:
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << bit
        assert verdict_of(bytes(flipped)) is not Verdict.VALID, place


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(RECEIPTS)), st.data())
def test_with_any_bytes_overwritten_taken_out_or_put_in_it_is_not(name: str, draw: st.DataObject) -> None:
    whole = RECEIPTS[name].to_bytes()
    start = draw.draw(st.integers(0, len(whole) - 1))
    end = draw.draw(st.integers(start, min(len(whole), start + 40)))
    put = draw.draw(st.binary(max_size=40))
    made = whole[:start] + put + whole[end:]
    assert made == whole or verdict_of(made) is not Verdict.VALID


def test_cut_anywhere_it_is_no_receipt(data: bytes) -> None:
    for end in range(len(data)):
        assert verdict_of(data[:end]) is None
        assert verdict_of(data[:end] + b"\n") is None or end == len(data) - 1


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the way to every value in a document."""
    yield path
    if isinstance(value, dict):
        for name, each in value.items():
            yield from places(each, (*path, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from places(each, (*path, index))


def at(value: Any, path: Path) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def put(value: Any, path: Path, part: Any) -> bytes:
    """Return a receipt's bytes with one part replaced."""
    if not path:
        return encode(part) + b"\n"
    made = copy.deepcopy(value)
    at(made, path[:-1])[path[-1]] = part
    return encode(made) + b"\n"


def test_with_two_entries_of_any_list_in_each_others_place_it_is_not(data: bytes) -> None:
    value, swapped = json.loads(data), 0
    for path in places(value):
        entries = at(value, path)
        for index in range(len(entries) - 1 if isinstance(entries, list) else 0):
            turned = [*entries[:index], entries[index + 1], entries[index], *entries[index + 2 :]]
            if turned != entries:
                swapped += 1
                assert verdict_of(put(value, path, turned)) is not Verdict.VALID, path
    assert swapped >= 3


def test_with_an_entry_of_any_list_doubled_or_left_out_it_is_not(data: bytes) -> None:
    value = json.loads(data)
    for path in places(value):
        entries = at(value, path)
        for index in range(len(entries) if isinstance(entries, list) else 0):
            doubled = [*entries[: index + 1], *entries[index:]]
            fewer = [*entries[:index], *entries[index + 1 :]]
            assert verdict_of(put(value, path, doubled)) is not Verdict.VALID, path
            assert verdict_of(put(value, path, fewer)) is not Verdict.VALID, path


@pytest.mark.parametrize("path", [("log", "checkpoint"), ("status", "checkpoint")])
def test_with_signature_lines_in_another_order_or_doubled_it_is_not(path: Path) -> None:
    value = json.loads(RECEIPTS["refreshed"].to_bytes())
    text, _, lines = at(value, path).rpartition("\n\n")
    signatures = lines.splitlines()
    for made in (signatures[::-1], [*signatures, signatures[-1]], [signatures[0], *signatures]):
        note = f"{text}\n\n" + "".join(f"{line}\n" for line in made)
        assert verdict_of(put(value, path, note)) is not Verdict.VALID


@pytest.mark.parametrize(
    "name", ["log", "status", "salt", "anchor", "batch", "certificate", "ledger", "format"]
)
def test_with_a_part_left_out_it_is_not(data: bytes, name: str) -> None:
    value = json.loads(data)
    del value[name]
    assert verdict_of(encode(value) + b"\n") is not Verdict.VALID


def a_fork() -> Receipt:
    """The same batch in another log of the same name, which a minority of the members signed."""
    log = PaperLog()
    log.entries.append(b"rewritten")
    city = PaperCity(log=log)
    return city.receipt(
        head=city.head(members=MEMBERS[:2]), status_head=city.head(BEGIN + 2000, MEMBERS[:2], quorum=True)
    )


def another_batch() -> Receipt:
    """A receipt of another batch, in another place of the log."""
    city = PaperCity(bare_receipts(4, document_type="residence"))
    city.change(Status.SUSPENDED, 3)
    return complete(city)


def another_ledger() -> Receipt:
    return complete(PaperCity(bare_receipts(ledger="elsewhere-test"), log=PaperLog("elsewhere-test")))


OTHERS = {
    "another certificate of its batch": complete(CITY, 2),
    "a revoked certificate of its batch": complete(CITY, 1),
    "another batch's": another_batch(),
    "another ledger's": another_ledger(),
    "a fork's": a_fork(),
}


@pytest.mark.parametrize("other", OTHERS)
def test_with_any_part_of_another_receipt_in_it_it_is_not(other: str) -> None:
    value, parts = json.loads(RECEIPTS["refreshed"].to_bytes()), json.loads(OTHERS[other].to_bytes())
    replaced = 0
    for path in places(value):
        part = at(parts, path)
        if path and part is not None and part != at(value, path):
            replaced += 1
            assert verdict_of(put(value, path, part)) is not Verdict.VALID, path
    assert replaced >= 3


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(OTHERS)), st.data())
def test_with_several_parts_of_another_receipt_in_it_it_is_not(other: str, draw: st.DataObject) -> None:
    whole = RECEIPTS["refreshed"].to_bytes()
    value, parts = json.loads(whole), json.loads(OTHERS[other].to_bytes())
    common = [path for path in places(value) if path and at(parts, path) is not None]
    chosen: Sequence[Path] = draw.draw(st.lists(st.sampled_from(common), min_size=2, max_size=6, unique=True))
    made = value
    for path in chosen:
        if at(made, path[:-1]) is not None and at(made, path) is not None:
            made = json.loads(put(made, path, at(parts, path)))
    data = encode(made) + b"\n"
    genuine = (whole, OTHERS[other].to_bytes())
    assert data in genuine or verdict_of(data) is not Verdict.VALID


def test_a_status_of_before_the_revocation_cannot_be_put_beside_a_newer_record() -> None:
    city = PaperCity()
    before = city.receipt()
    city.change(Status.REVOKED)
    after = city.receipt(head=city.head(BEGIN + 2000))
    assert before.log is not None
    assert before.status is not None
    mixed = replace(after, status=replace(before.status, head=before.log.head))
    assert verdict_of(mixed.to_bytes()) is not Verdict.VALID


def test_fields_that_are_not_known_are_kept_and_change_nothing() -> None:
    receipt = replace(RECEIPTS["as issued"], extra={"note": "for the file"})
    assert verdict_of(receipt.to_bytes()) is Verdict.VALID
