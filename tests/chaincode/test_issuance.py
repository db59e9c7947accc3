"""`issue`: who may anchor what, once."""

from __future__ import annotations

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.anchors_ledger import START, WINDOW

from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.canonical import decode_canonical, encode
from shirushi_core.proofs.issuer import IssuerState
from shirushi_core.proofs.seal import make_seal


async def test_a_batch_is_anchored_as_stated(ledger, city):
    outcome = await ledger.submit(city.submitter, "issue", city.issuance())
    anchor = IssuanceAnchor.from_json(outcome.result)
    assert anchor.statement == city.statement()
    assert (anchor.anchored_at, anchor.tx_id, anchor.issuer_sequence) == (START, outcome.stub.tx_id, 1)
    assert outcome.entries == [{"anchor": anchor.to_json(), "kind": "issuance"}]


async def test_an_anchor_has_keys_of_its_own_and_reads_no_others(ledger, city):
    outcome = await ledger.submit(city.submitter, "issue", city.issuance())
    batch_id = city.statement().batch_id.hex()
    assert sorted(outcome.stub.writes) == [
        f"batch/{batch_id}",
        f"issued/iizuka-city/{START:012d}/{batch_id}",
        f"tick/{START // 300:012d}",
    ]
    assert sorted(outcome.stub.reads) == [f"batch/{batch_id}", "issuer/iizuka-city"]
    assert decode_canonical(outcome.stub.writes[f"batch/{batch_id}"]) == outcome.result


async def test_batches_issued_at_the_same_time_do_not_conflict(ledger, city):
    first = await ledger.simulate(city.submitter, "issue", city.issuance(2))
    second = await ledger.simulate(city.submitter, "issue", city.issuance(3))
    assert ledger.commit(first)
    assert ledger.commit(second)


async def test_the_same_batch_again_returns_the_first_anchor_and_writes_nothing(ledger, city):
    first = await ledger.submit(city.submitter, "issue", city.issuance())
    again = await ledger.submit(city.submitter, "issue", city.issuance(), at=START + 100)
    assert again.stub.args != first.stub.args  # sealed anew: signatures are randomised
    assert again.result == first.result
    assert again.stub.writes == {}
    assert again.stub.event is None


async def test_the_same_batch_sent_twice_at_once_is_anchored_once(ledger, city):
    first = await ledger.simulate(city.submitter, "issue", city.issuance())
    second = await ledger.simulate(city.submitter, "issue", city.issuance())
    assert ledger.commit(first)
    assert not ledger.commit(second)
    assert (await ledger.submit(city.submitter, "issue", city.issuance())).result == first.result


async def test_a_repetition_is_answered_after_the_key_windows_and_after_retirement(consortium, city):
    ledger = consortium.ledger
    first = await ledger.submit(city.submitter, "issue", city.issuance())
    await consortium.adopt(dataclasses.replace(city.record, sequence=2, state=IssuerState.RETIRED))
    ledger.now = WINDOW[1] + 1
    assert (await ledger.submit(city.submitter, "issue", city.issuance())).result == first.result


async def test_the_same_certificates_with_another_validity_are_refused(ledger, city):
    await ledger.submit(city.submitter, "issue", city.issuance())
    other = await ledger.submit(city.submitter, "issue", city.issuance(valid_until=None))
    assert other.code == "BATCH_EXISTS"


async def test_the_same_certificates_as_another_document_are_another_batch(ledger, city):
    first = await ledger.submit(city.submitter, "issue", city.issuance())
    second = await ledger.submit(city.submitter, "issue", city.issuance(document_type="tax-certificate"))
    assert first.result["statement"]["batch_id"] != second.result["statement"]["batch_id"]


async def test_another_client_of_the_same_member_cannot_issue(consortium, city):
    other = consortium.client("IizukaMSP", "other")
    assert (await consortium.ledger.submit(other, "issue", city.issuance())).code == "NOT_ISSUER"


async def test_not_even_a_repetition_is_answered_to_a_stranger(consortium, city):
    await consortium.ledger.submit(city.submitter, "issue", city.issuance())
    other = consortium.client("IizukaMSP", "other")
    assert (await consortium.ledger.submit(other, "issue", city.issuance())).code == "NOT_ISSUER"


async def test_a_members_admin_is_no_issuer(consortium, city):
    admin = consortium.admins["IizukaMSP"]
    assert (await consortium.ledger.submit(admin, "issue", city.issuance())).code == "NOT_ISSUER"


async def test_one_issuer_cannot_issue_in_the_name_of_another(ledger, city, academy):
    assert (await ledger.submit(academy.submitter, "issue", city.issuance())).code == "NOT_ISSUER"


async def test_the_registered_key_certified_by_another_member_is_not_the_issuer(consortium, city):
    stranger = consortium.authorities["HawMSP"].issue("client", key=city.submitter.key)
    assert (await consortium.ledger.submit(stranger, "issue", city.issuance())).code == "NOT_ISSUER"


async def test_a_renewed_certificate_of_the_same_key_still_issues(consortium, city):
    renewed = consortium.authorities["IizukaMSP"].issue("client", name="renewed", key=city.submitter.key)
    assert (await consortium.ledger.submit(renewed, "issue", city.issuance())).result


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (WINDOW[0] - 1, "KEY_NOT_IN_WINDOW"),
        (WINDOW[0], None),
        (WINDOW[1], None),
        (WINDOW[1] + 1, "KEY_NOT_IN_WINDOW"),
    ],
)
async def test_the_submit_key_counts_in_its_window_only(consortium, at, code):
    ledger = consortium.ledger
    ledger.now = at
    city = await consortium.register("iizuka-city", "IizukaMSP")
    outcome = await ledger.submit(city.submitter, "issue", city.issuance(valid_from=at))
    assert (outcome.code if code else outcome.result["anchored_at"]) == (code or at)


async def test_the_seal_key_counts_in_its_window_only(consortium, city):
    keys = tuple(
        dataclasses.replace(key, not_after=START - 1) if key.use == "seal" else key
        for key in city.record.keys
    )
    await consortium.adopt(dataclasses.replace(city.record, sequence=2, keys=keys))
    outcome = await consortium.ledger.submit(city.submitter, "issue", city.issuance())
    assert outcome.code == "SEAL_KEY_REFUSED"


async def test_a_seal_by_an_unregistered_key_is_refused(ledger, city):
    issuance = city.issuance()
    stranger = make_seal(city.statement(), ec.generate_private_key(ec.SECP256R1()))
    outcome = await ledger.submit(city.submitter, "issue", issuance | {"seal": stranger.to_json()})
    assert outcome.code == "SEAL_KEY_REFUSED"


async def test_a_seal_over_another_statement_is_refused(ledger, city):
    outcome = await ledger.submit(
        city.submitter, "issue", city.issuance() | {"seal": city.issuance(2)["seal"]}
    )
    assert outcome.code == "SEAL_INVALID"


async def test_a_batch_for_another_ledger_is_refused(ledger, city):
    outcome = await ledger.submit(city.submitter, "issue", city.issuance(ledger="shirushi"))
    assert outcome.code == "LEDGER_MISMATCH"


async def test_an_unregistered_issuer_cannot_issue(consortium):
    party = consortium.issuing_party("nobody", "KaguyaMSP")
    outcome = await consortium.ledger.submit(party.submitter, "issue", party.issuance())
    assert outcome.code == "ISSUER_NOT_FOUND"


async def test_a_retired_issuer_cannot_issue(consortium, city):
    await consortium.adopt(dataclasses.replace(city.record, sequence=2, state=IssuerState.RETIRED))
    outcome = await consortium.ledger.submit(city.submitter, "issue", city.issuance())
    assert outcome.code == "ISSUER_RETIRED"


@pytest.mark.parametrize(
    ("seconds", "code"), [(-(10**8), None), (0, None), (300, None), (301, "VALID_FROM_REFUSED")]
)
async def test_validity_begins_no_later_than_clocks_may_differ(ledger, city, seconds, code):
    issuance = city.issuance(valid_from=START + seconds)
    outcome = await ledger.submit(city.submitter, "issue", issuance)
    assert (outcome.code if code else outcome.response.status) == (code or 200)


async def test_an_issuer_issues_only_the_document_types_that_its_record_lists(consortium, city):
    """A member's partner that is registered for its own documents issues no income certificate of the city's kind."""
    partner = consortium.issuing_party("haw-academy", "HawMSP")
    partner.record = dataclasses.replace(partner.record, document_types=("diploma",))
    await consortium.adopt(partner.record)
    ledger = consortium.ledger
    forged = await ledger.submit(partner.submitter, "issue", partner.issuance())
    assert forged.code == "DOCUMENT_TYPE_REFUSED"
    assert (
        "haw-academy does not issue income-certificate: its record lists diploma" in forged.response.message
    )
    assert forged.stub.writes == {}
    own = await ledger.submit(partner.submitter, "issue", partner.issuance(document_type="diploma"))
    assert own.result["statement"]["document_type"] == "diploma"
    assert (await ledger.submit(city.submitter, "issue", city.issuance())).result


async def test_the_present_record_says_what_an_issuer_may_issue(consortium, city):
    ledger = consortium.ledger
    first = await ledger.submit(city.submitter, "issue", city.issuance())
    await consortium.adopt(dataclasses.replace(city.record, sequence=2, document_types=("residence",)))
    assert (await ledger.submit(city.submitter, "issue", city.issuance(4))).code == "DOCUMENT_TYPE_REFUSED"
    assert (await ledger.submit(city.submitter, "issue", city.issuance())).result == first.result
    residence = city.issuance(document_type="residence")
    assert (await ledger.submit(city.submitter, "issue", residence)).result["issuer_sequence"] == 2


async def test_an_issuer_that_was_registered_before_there_were_lists_goes_on_issuing(ledger, city):
    early = dataclasses.replace(city.record, document_types=None).to_json()
    ledger.state["issuer/iizuka-city"] = (encode(early), 99)
    outcome = await ledger.submit(city.submitter, "issue", city.issuance(document_type="anything"))
    assert outcome.result["statement"]["document_type"] == "anything"


async def test_the_anchor_names_the_version_of_the_record_its_keys_were_judged_by(consortium, city):
    await consortium.adopt(dataclasses.replace(city.record, sequence=2, name_en="City of Iizuka"))
    outcome = await consortium.ledger.submit(city.submitter, "issue", city.issuance())
    assert outcome.result["issuer_sequence"] == 2


@pytest.mark.parametrize(
    "break_it",
    [
        lambda value: value["statement"].update(size=0),
        lambda value: value["statement"].update(size=(1 << 20) + 1),
        lambda value: value["statement"].update(name="飯塚 太郎"),
        lambda value: value["statement"].pop("valid_until"),
        lambda value: value["seal"].update(alg="RS256"),
        lambda value: value.update(salt="00" * 32),
        lambda value: value.pop("seal"),
    ],
    ids=["size zero", "too large", "a name", "no validity", "another algorithm", "a salt", "no seal"],
)
async def test_an_ill_formed_request_is_refused(ledger, city, break_it):
    issuance = city.issuance()
    break_it(issuance)
    assert (await ledger.submit(city.submitter, "issue", issuance)).code == "INVALID_ARGUMENT"
