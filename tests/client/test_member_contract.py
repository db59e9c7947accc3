from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from shirushi_client.consortium import Member
from shirushi_client.gateway import CommitError, EndorseError, ErrorDetail, GatewayError
from shirushi_client.ledger_errors import (
    ContractError,
    LedgerAnswerError,
    LedgerError,
    LedgerRefusedError,
    LedgerUnreachableError,
)
from shirushi_client.member_contract import GatewayMemberContract

MEMBER = Member("iizuka", "IizukaMSP", "飯塚市", "Iizuka City", "127.0.0.1:1", Path("tls.pem"))
Code = grpc.StatusCode


class StandIn:
    """A gateway contract with one answer to everything."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def evaluate(self, name: str, **options: Any) -> bytes:
        self.calls.append((name, options))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    submit = evaluate


def member(answer: bytes | Exception) -> tuple[GatewayMemberContract, StandIn]:
    contract = StandIn(answer)
    return GatewayMemberContract(MEMBER, contract), contract  # type: ignore[arg-type]


async def test_a_question_is_canonical_json_for_this_members_own_peer() -> None:
    contract, stand_in = member(b'{"a":1}')
    assert await contract.evaluate("get_issuer", {"b": 1, "a": "x"}) == {"a": 1}
    assert stand_in.calls == [
        ("get_issuer", {"arguments": [b'{"a":"x","b":1}'], "endorsing_organizations": ["IizukaMSP"]})
    ]


async def test_a_submission_leaves_the_endorsers_to_the_policy() -> None:
    contract, stand_in = member(b"{}")
    await contract.submit("issue", {})
    assert stand_in.calls == [("issue", {"arguments": [b"{}"]})]


def refusal(text: str, code: grpc.StatusCode = Code.ABORTED) -> EndorseError:
    detail = ErrorDetail("127.0.0.1:1", "IizukaMSP", f"chaincode response 400, {text}")
    return EndorseError("failed to endorse transaction", code=code, details=[detail], transaction_id="0")


@pytest.mark.parametrize(
    "error",
    [
        refusal("BATCH_EXISTS: batch 00 is anchored with another validity"),
        GatewayError(
            "evaluate call to endorser returned error: chaincode response 400, BATCH_EXISTS: batch 00 is anchored",
            code=Code.UNKNOWN,
        ),
    ],
)
async def test_the_contracts_own_error_is_found_wherever_the_gateway_puts_it(error: Exception) -> None:
    with pytest.raises(ContractError) as raised:
        await member(error)[0].submit("issue", {})
    assert raised.value.code == "BATCH_EXISTS"
    assert raised.value.sentence.startswith("batch 00 is anchored")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (GatewayError("connection refused", code=Code.UNAVAILABLE), LedgerUnreachableError),
        (GatewayError("too late", code=Code.DEADLINE_EXCEEDED), LedgerUnreachableError),
        (
            GatewayError("too many requests for /gateway.Gateway", code=Code.RESOURCE_EXHAUSTED),
            LedgerUnreachableError,
        ),
        (
            GatewayError(
                "no combination of peers can be derived which satisfy the endorsement policy: no peer combination can "
                "satisfy the endorsement policy",
                code=Code.FAILED_PRECONDITION,
            ),
            LedgerUnreachableError,
        ),
        (
            GatewayError("no peers available to evaluate chaincode anchors", code=Code.FAILED_PRECONDITION),
            LedgerUnreachableError,
        ),
        (
            GatewayError("error validating proposal: access denied", code=Code.FAILED_PRECONDITION),
            LedgerRefusedError,
        ),
        (refusal("INTERNAL: the contract could not finish"), LedgerUnreachableError),
        (refusal("MEMBERS_UNKNOWN: expected the definition"), LedgerUnreachableError),
        (GatewayError("access denied", code=Code.PERMISSION_DENIED), LedgerRefusedError),
        (GatewayError("no such channel", code=Code.NOT_FOUND), LedgerRefusedError),
        (CommitError("conflict", code=11, transaction_id="0", block_number=1), LedgerUnreachableError),
        (CommitError("phantom", code=12, transaction_id="0", block_number=1), LedgerUnreachableError),
        (CommitError("bad", code=2, transaction_id="0", block_number=1), LedgerRefusedError),
    ],
)
async def test_trouble_is_told_from_refusal(error: Exception, kind: type[LedgerError]) -> None:
    with pytest.raises(kind, match="Iizuka City"):
        await member(error)[0].submit("issue", {})


@pytest.mark.parametrize("answer", [b"", b"{", b"1.5", b"\xff"])
async def test_an_answer_that_is_no_json_is_a_typed_error(answer: bytes) -> None:
    with pytest.raises(LedgerAnswerError, match="Iizuka City"):
        await member(answer)[0].evaluate("get_batch", {})
