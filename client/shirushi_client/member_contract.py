"""The anchors contract as one member's peer serves it: canonical JSON in and out, typed errors, a deadline on every call."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Protocol

import grpc
import grpc.aio

from shirushi_client.consortium import Consortium, Member
from shirushi_client.gateway import (
    CallOptions,
    CommitError,
    Contract,
    GatewayError,
    Identity,
    StatusCode,
    connect,
    signers,
)
from shirushi_client.ledger_errors import (
    ContractError,
    LedgerAnswerError,
    LedgerRefusedError,
    LedgerUnreachableError,
)
from shirushi_client.profile import Profile, read_tls_root
from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.canonical import Json, decode, encode

CHAINCODE = "anchors"
MAX_ANSWER_BYTES = 16 << 20

EVALUATE_SECONDS = 5.0
"""How long one member may take to answer a question."""

ENDORSE_SECONDS = 15.0
SUBMIT_SECONDS = 10.0
COMMIT_SECONDS = 30.0

# Status codes that say nothing of the request itself: it may be made again, here or at another member.
_PASSING = frozenset(
    {
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNKNOWN,
    }
)

# What a gateway says with FAILED_PRECONDITION while its peer does not see enough others; other preconditions are refusals.
# Source: internal/pkg/gateway/registry.go.
_PASSING_PRECONDITIONS = re.compile(
    "no combination of peers can be derived|failed to select a set of endorsers|no peers available to evaluate"
)

# A transaction with one of these lost a race or was sent twice; the same request can be made again.
_PASSING_COMMITS = frozenset(
    {
        StatusCode.DUPLICATE_TXID,
        StatusCode.ENDORSEMENT_POLICY_FAILURE,
        StatusCode.MVCC_READ_CONFLICT,
        StatusCode.PHANTOM_READ_CONFLICT,
    }
)

# Codes by which the contract says that it could not judge, or that it judges the time of the proposal and not what is asked:
# the same request as a new proposal, which has a new time, can be made again.
_PASSING_CODES = frozenset({"INTERNAL", "MEMBERS_UNKNOWN", "TRANSACTION_EXPIRED"})

_CONTRACT_ERROR = re.compile(r"chaincode response \d+, ([A-Z][A-Z0-9_]*): (.*)", re.DOTALL)


class MemberContract(Protocol):
    """The contract at one member."""

    @property
    def member(self) -> Member:
        """Whose peer answers."""

    async def evaluate(self, function: str, argument: Json) -> Json:
        """Ask this member's own peer; raises LedgerError."""

    async def submit(self, function: str, argument: Json) -> Json:
        """Submit a transaction through this member, and return its result once committed; raises LedgerError."""


class GatewayMemberContract:
    """The contract at one member, over its Fabric Gateway."""

    def __init__(self, member: Member, contract: Contract) -> None:
        self.member = member
        self._contract = contract

    async def evaluate(self, function: str, argument: Json) -> Json:
        with self._typed_errors():
            return self._parsed(
                await self._contract.evaluate(
                    function, arguments=[encode(argument)], endorsing_organizations=[self.member.msp_id]
                )
            )

    async def submit(self, function: str, argument: Json) -> Json:
        with self._typed_errors():
            return self._parsed(await self._contract.submit(function, arguments=[encode(argument)]))

    def _parsed(self, data: bytes) -> Json:
        try:
            return decode(data, max_bytes=MAX_ANSWER_BYTES)
        except InvalidInputError as error:
            raise LedgerAnswerError(f"{self.member.name_en}: {error}") from error

    @contextmanager
    def _typed_errors(self) -> Iterator[None]:
        who = f"{self.member.name_en} ({self.member.peer})"
        try:
            yield
        except GatewayError as error:
            refusal = contract_error([error.message, *(detail.message for detail in error.details)])
            if refusal is not None and refusal.code not in _PASSING_CODES:
                raise refusal from error
            if refusal is not None or _passes(error):
                raise LedgerUnreachableError(f"{who} gave no answer: {error}") from error
            raise LedgerRefusedError(f"{who} refused: {error}") from error
        except CommitError as error:
            if error.code in _PASSING_COMMITS:
                raise LedgerUnreachableError(f"{who}: {error}") from error
            raise LedgerRefusedError(f"{who}: {error}") from error


def _passes(error: GatewayError) -> bool:
    """Say whether a failure is the member's or the network's state, and not a judgement of the request."""
    if error.code is grpc.StatusCode.FAILED_PRECONDITION:
        return _PASSING_PRECONDITIONS.search(error.message) is not None
    return error.code in _PASSING


def contract_error(messages: Sequence[str]) -> ContractError | None:
    """Return the contract's own error out of a peer's messages, if there is one."""
    for message in messages:
        if found := _CONTRACT_ERROR.search(message):
            return ContractError(found[1], found[2].strip())
    return None


@asynccontextmanager
async def open_members(
    consortium: Consortium, profile: Profile
) -> AsyncIterator[list[GatewayMemberContract]]:
    """Open the contract at every member's peer, as one identity, that identity's own member first.

    Nothing is sent yet: a member that is down shows when it is asked. Raises ProfileError and ConnectionFileError.
    """
    identity = Identity(profile.msp_id, profile.load_certificate())
    signer = signers.from_private_key(profile.load_key())
    async with AsyncExitStack() as stack:
        contracts = []
        for member in sorted(consortium.members, key=lambda member: member.id != profile.member):
            credentials = grpc.ssl_channel_credentials(read_tls_root(member.tls_root, member.name_en))
            options: list[tuple[str, str | int]] = [("grpc.enable_http_proxy", 0)]
            if member.tls_name is not None:
                options.append(("grpc.ssl_target_name_override", member.tls_name))
            channel = await stack.enter_async_context(
                grpc.aio.secure_channel(member.peer, credentials, options)
            )
            gateway = await stack.enter_async_context(
                connect(
                    channel,
                    identity,
                    signer,
                    evaluate_options=CallOptions(timeout=EVALUATE_SECONDS),
                    endorse_options=CallOptions(timeout=ENDORSE_SECONDS),
                    submit_options=CallOptions(timeout=SUBMIT_SECONDS),
                    commit_status_options=CallOptions(timeout=COMMIT_SECONDS),
                )
            )
            contracts.append(
                GatewayMemberContract(member, gateway.get_network(consortium.channel).get_contract(CHAINCODE))
            )
        yield contracts
