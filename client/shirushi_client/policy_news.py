"""Hearing from witnesses that there is a newer trust policy, and fetching it.

What a witness says about policies is believed by nobody: a note tells a person to look, and a version is taken only if the members of the
one before signed it (`verify_update`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from shirushi_client.witness_client import ServedPolicy, WitnessError
from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.policy_update import PolicyError, SignedPolicy, verify_update
from shirushi_core.proofs.trust_policy import TrustPolicy

GRACE_SECONDS = 0.5
"""How much longer than for evidence witnesses are waited for to say which policy they have."""

MAX_VERSIONS = 64
"""Versions that are fetched at a time."""

FETCH_SECONDS = 60.0
"""For all of them together."""


class PolicyWitness(Protocol):
    """One member's witness, as those ask it who want to know about policies."""

    @property
    def member_id(self) -> str:
        """Whose witness it is."""

    async def served_policy(self) -> ServedPolicy | None:
        """Return which policy it serves, None if it serves none; raises WitnessError."""

    async def policy(self, version: int) -> bytes | None:
        """Return the bytes of a version's file, None if it does not have it; raises WitnessError."""


class PolicyNews:
    """Asks witnesses which policy they serve while something else is done with them; an async context manager around that."""

    def __init__(self, present: TrustPolicy, witnesses: Sequence[PolicyWitness]) -> None:
        self._present = present
        self._witnesses = witnesses
        self._tasks: dict[str, asyncio.Task[ServedPolicy | None]] = {}
        self._served: dict[str, ServedPolicy] = {}

    async def __aenter__(self) -> Self:
        self._tasks = {each.member_id: asyncio.create_task(each.served_policy()) for each in self._witnesses}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tasks and error is None:
            await asyncio.wait(self._tasks.values(), timeout=GRACE_SECONDS)
        for task in self._tasks.values():
            task.cancel()
        answers = await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for member, answer in zip(self._tasks, answers, strict=True):
            if isinstance(answer, ServedPolicy):
                self._served[member] = answer

    def said(self) -> list[str]:
        """Return a sentence for each policy that is served and newer than the present one, or another of its version."""
        present, said = self._present, []
        for served in sorted(set(self._served.values()), key=lambda each: each.version):
            who = ", ".join(member for member, each in self._served.items() if each == served)
            if served.version > present.version:
                said.append(
                    f"the trust policy of {present.ledger} is version {present.version} here, and version {served.version} at the "
                    f"witness of {who}: `shirushi policy update` takes it if the members signed it"
                )
            elif served.version == present.version and served.fingerprint != present.fingerprint:
                said.append(
                    f"the witness of {who} serves another version {served.version} of the trust policy of {present.ledger} than "
                    f"the one here: compare the fingerprints with the members ({served.fingerprint.hex()} there)"
                )
        return said


async def fetch_updates(
    present: TrustPolicy,
    witnesses: Sequence[PolicyWitness],
    clock: Callable[[], float],
    problems: dict[str, str],
) -> list[SignedPolicy]:
    """Return the versions that follow a policy, one by one, each signed by the members of the one before.

    At most MAX_VERSIONS, in FETCH_SECONDS. `problems` gets, by member, why what it gave was not taken.
    """
    taken: list[SignedPolicy] = []
    try:
        async with asyncio.timeout(FETCH_SECONDS):
            while len(taken) < MAX_VERSIONS:
                following = await _next(present, witnesses, clock, problems)
                if following is None:
                    break
                taken.append(following)
                present = following.policy
    except TimeoutError:
        problems["all"] = f"no more was had within {FETCH_SECONDS:g} s"
    return taken


async def _next(
    present: TrustPolicy,
    witnesses: Sequence[PolicyWitness],
    clock: Callable[[], float],
    problems: dict[str, str],
) -> SignedPolicy | None:
    """Return the next version out of the first answer that holds, None if there is none."""

    async def ask(witness: PolicyWitness) -> tuple[str, bytes | None]:
        try:
            return witness.member_id, await witness.policy(present.version + 1)
        except WitnessError as error:
            problems[witness.member_id] = str(error)
            return witness.member_id, None

    tasks: list[Awaitable[tuple[str, bytes | None]]] = [
        asyncio.ensure_future(ask(each)) for each in witnesses
    ]
    tried: set[bytes] = set()
    try:
        for answer in asyncio.as_completed(tasks):
            member, data = await answer
            if data is None or data in tried:
                continue
            tried.add(data)
            try:
                return await asyncio.to_thread(_read, present, data, int(clock()))
            except (InvalidInputError, PolicyError) as error:
                problems[member] = str(error)
    finally:
        for task in tasks:
            if isinstance(task, asyncio.Future):
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return None


def _read(present: TrustPolicy, data: bytes, now: int) -> SignedPolicy:
    signed = SignedPolicy.from_bytes(data)
    verify_update(present, signed, now)
    return signed
