"""Every error code can be met, is documented, and leaks nothing."""

from __future__ import annotations

import dataclasses
import logging
import re
from pathlib import Path

import pytest
from tests.support.anchors_ledger import MEMBERS, START, WINDOW

from shirushi_chaincode.contract.errors import Code
from shirushi_chaincode.contract.functions import FUNCTIONS
from shirushi_core.fabric.chaincode import Response
from shirushi_core.proofs.epoch import EPOCH_SECONDS, EXPIRY_EPOCHS
from shirushi_core.proofs.issuer import IssuerState
from shirushi_core.proofs.seal import make_seal

DOCUMENT = Path(__file__).parents[2] / "docs" / "formats" / "contract.md"


class Scene:
    """A ledger with two issuers and a batch of each, and the ways to get refused on it."""

    def __init__(self, consortium, city, academy):
        self.consortium, self.ledger, self.city, self.academy = consortium, consortium.ledger, city, academy

    async def issue(self, party=None, who=None, **changes):
        party = party or self.city
        return await self.ledger.submit(who or party.submitter, "issue", party.issuance(**changes))

    async def change(self, *changes, party=None, **options):
        party = party or self.city
        return await self.ledger.submit(party.submitter, "set_status", party.request(*changes), **options)

    async def propose(self, record, who=None):
        who = who or self.consortium.admins[MEMBERS[0]]
        return await self.ledger.submit(who, "propose_issuer", {"record": record.to_json()})

    async def next_record(self, **changes):
        return dataclasses.replace(self.city.record, sequence=2, **changes)

    async def INVALID_ARGUMENT(self):  # noqa: N802
        return await self.ledger.submit(self.city.submitter, "get_batch", {"batch_id": "short"})

    async def UNKNOWN_FUNCTION(self):  # noqa: N802
        return await self.ledger.submit(self.city.submitter, "delete_everything", {})

    async def CLOCK_SKEW(self):  # noqa: N802
        return await self.ledger.submit(self.city.submitter, "issue", self.city.issuance(), at=START + 301)

    async def INVALID_CREATOR(self):  # noqa: N802
        return await self.issue(who=b"no identity")

    async def LEDGER_MISMATCH(self):  # noqa: N802
        return await self.issue(ledger="another")

    async def ISSUER_NOT_FOUND(self):  # noqa: N802
        return await self.ledger.submit(self.city.submitter, "get_issuer", {"issuer": "nobody"})

    async def ISSUER_RETIRED(self):  # noqa: N802
        await self.consortium.adopt(await self.next_record(state=IssuerState.RETIRED))
        return await self.issue(size=9)

    async def NOT_ISSUER(self):  # noqa: N802
        return await self.issue(who=self.academy.submitter)

    async def TRANSACTION_EXPIRED(self):  # noqa: N802
        self.ledger.now = START + EXPIRY_EPOCHS * EPOCH_SECONDS
        assert (await self.ledger.submit(self.city.submitter, "tick", {})).result
        self.ledger.now = START  # a member whose clock is behind those of the others
        return await self.issue(size=9)

    async def DOCUMENT_TYPE_REFUSED(self):  # noqa: N802
        return await self.issue(document_type="not-listed")

    async def VALID_FROM_REFUSED(self):  # noqa: N802
        return await self.issue(size=9, valid_from=START + 301)

    async def KEY_NOT_IN_WINDOW(self):  # noqa: N802
        self.ledger.now = WINDOW[1] + 1
        return await self.issue(size=9)

    async def SEAL_KEY_REFUSED(self):  # noqa: N802
        seal = make_seal(self.city.statement(9), self.academy.seal_key).to_json()
        return await self.ledger.submit(self.city.submitter, "issue", self.city.issuance(9) | {"seal": seal})

    async def SEAL_INVALID(self):  # noqa: N802
        seal = make_seal(self.city.statement(8), self.city.seal_key).to_json()
        return await self.ledger.submit(self.city.submitter, "issue", self.city.issuance(9) | {"seal": seal})

    async def BATCH_EXISTS(self):  # noqa: N802
        return await self.issue(valid_from=0)

    async def BATCH_NOT_FOUND(self):  # noqa: N802
        return await self.change(self.city.change(0, size=9))

    async def NOT_BATCH_ISSUER(self):  # noqa: N802
        return await self.change(self.academy.change())

    async def PROOF_INVALID(self):  # noqa: N802
        return await self.change(self.city.change(index=0, path=[]))

    async def STATUS_REFUSED(self):  # noqa: N802
        return await self.change(self.city.change(status="valid"))

    async def EFFECTIVE_AT_REFUSED(self):  # noqa: N802
        return await self.change(self.city.change(effective_at=START + 301))

    async def SUCCESSOR_REFUSED(self):  # noqa: N802
        return await self.change(self.city.change(status="superseded"))

    async def CHANGE_EXISTS(self):  # noqa: N802
        await self.change(self.city.change(0))
        return await self.change(self.city.change(1))

    async def MEMBERS_UNKNOWN(self):  # noqa: N802
        self.ledger.lifecycle = Response(404, "not defined")
        return await self.propose(await self.next_record())

    async def NOT_MEMBER_ADMIN(self):  # noqa: N802
        return await self.propose(await self.next_record(), who=self.city.submitter)

    async def SEQUENCE_MISMATCH(self):  # noqa: N802
        return await self.propose(dataclasses.replace(self.city.record, sequence=7))

    async def KEY_DROPPED(self):  # noqa: N802
        return await self.propose(await self.next_record(keys=self.city.record.keys[1:]))

    async def PROPOSAL_NOT_FOUND(self):  # noqa: N802
        admin = self.consortium.admins[MEMBERS[0]]
        return await self.ledger.submit(admin, "approve_issuer", {"proposal_id": "00" * 32})

    async def PROPOSAL_ADOPTED(self):  # noqa: N802
        return await self.propose(self.city.record, who=self.consortium.admins[MEMBERS[4]])

    async def PROPOSAL_STALE(self):  # noqa: N802
        rival = await self.next_record(name_en="Rival")
        await self.propose(rival)
        await self.consortium.adopt(await self.next_record(name_en="New"))
        return await self.propose(rival, who=self.consortium.admins[MEMBERS[4]])

    async def INTERNAL(self):  # noqa: N802
        self.ledger.state["issuer/iizuka-city"] = (b"damaged", 99)
        return await self.issue()


@pytest.fixture
async def scene(consortium, city, academy):
    scene = Scene(consortium, city, academy)
    await scene.issue()
    await scene.issue(academy)
    return scene


@pytest.mark.parametrize("code", Code)
async def test_every_code_is_met(scene, code):
    outcome = await getattr(scene, code)()
    assert outcome.code == code
    assert outcome.response.status == (500 if code is Code.INTERNAL else 400)
    assert re.fullmatch(r"[A-Z_]+: \S.*", outcome.response.message)
    assert outcome.response.payload == b""


def test_every_code_is_documented_and_no_other():
    rows = re.findall(r"^\| `([A-Z_]+)` \| \S", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert rows == [code.value for code in Code]


def test_every_function_is_documented_and_no_other():
    headings = re.findall(r"^### `([a-z_]+)`$", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert headings == list(FUNCTIONS)


async def test_an_unforeseen_failure_tells_nothing_of_what_was_asked_or_stored(scene, caplog):
    async def fail(key):
        raise RuntimeError(key)

    outcome = await scene.ledger.simulate(scene.city.submitter, "issue", scene.city.issuance())
    stub = outcome.stub
    stub.get_state = fail
    with caplog.at_level(logging.DEBUG):
        failed = await scene.ledger.run(stub)
    assert failed.response.message == "INTERNAL: the contract could not finish, and nothing was written"
    assert "RuntimeError" in caplog.text
    assert stub.tx_id in caplog.text
    assert "iizuka-city" not in caplog.text


@pytest.mark.parametrize("skew", [-301, -300, 299, 300])
async def test_a_proposal_may_be_five_minutes_off_and_no_more(ledger, city, skew):
    ledger.now = START
    outcome = await ledger.submit(city.submitter, "issue", city.issuance(), at=START + skew)
    if abs(skew + 0.5) > 300:  # the stub's timestamps end in half a second
        assert outcome.code == "CLOCK_SKEW"
    else:
        assert outcome.result["anchored_at"] == START + skew


@pytest.mark.parametrize(
    "args",
    [
        [],
        [b""],
        [b"\xff\xfe"],
        [b"get_batch"],
        [b"get_batch", b"{}", b"{}"],
        [b"get_batch", b""],
        [b"get_batch", b"null"],
        [b"get_batch", b"{" * 10_000],
        [b"get_batch", b'{"batch_id":1.5}'],
        [b"get_batch", b'{"batch_id":"' + b"0" * (5 << 20) + b'"}'],
        [b"issue", b'{"seal":{},"statement":{},"seal":{}}'],
    ],
    ids=lambda args: ascii(args)[:40],
)
async def test_malformed_invocations_are_refused(ledger, city, args):
    stub = (await ledger.simulate(city.submitter, "get_batch", {})).stub
    stub.args = args
    assert (await ledger.run(stub)).code in {"INVALID_ARGUMENT", "UNKNOWN_FUNCTION"}


async def test_an_argument_may_be_spaced_and_ordered_as_its_author_likes(ledger, city):
    await ledger.submit(city.submitter, "issue", city.issuance())
    spaced = b'{ "issuer": "iizuka-city", "page_size": 3,\n "bookmark": "" }'
    assert len((await ledger.simulate(city.submitter, "list_batches", spaced)).result["batches"]) == 1
