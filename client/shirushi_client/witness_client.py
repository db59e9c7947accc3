"""Asking members' witnesses over HTTPS. What they answer is signed, so TLS keeps the asking private and proves nothing.

Source: docs/formats/witness.md.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import aiohttp

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import decode
from shirushi_core.proofs.log_evidence import MAX_PATH
from shirushi_core.proofs.merkle import HASH_SIZE
from shirushi_core.proofs.note import MAX_NOTE_BYTES, SignedNote
from shirushi_core.proofs.policy_update import MAX_POLICY_BYTES
from shirushi_core.proofs.tiles import MAX_BUNDLE_BYTES, Tile, entries_path
from shirushi_core.proofs.trust_policy import TrustPolicy, WitnessAddress
from shirushi_core.proofs.witness_protocol import (
    MAX_WAIT_SECONDS,
    ProofsAnswer,
    ProofsRequest,
)

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 5.0
"""How long a witness may take to answer, on top of what it was asked to wait."""

_MAX_ERROR_BYTES = 4096
_MAX_PATH_BYTES = 8192
_POLICY_TAG = re.compile(r'"v([1-9][0-9]{0,14})-([0-9a-f]{64})"')
_PATH_FIELDS = frozenset({"path"})


class WitnessError(ShirushiError):
    """A witness that did not answer, or not in a way that can be used; the text names it."""


class NotThereError(WitnessError):
    """A witness that says that it has no such thing."""


@dataclass(frozen=True, slots=True)
class ServedPolicy:
    """Which trust policy a witness says that it serves. Its word, and nothing is proved by it."""

    version: int
    fingerprint: bytes


class Witness(Protocol):
    """One member's witness, as those ask it who gather evidence. Everything it says is to be verified."""

    @property
    def member_id(self) -> str:
        """Whose witness it is."""

    async def note(self, size: int | None = None, wait: int = 0) -> SignedNote:
        """Return its newest signed checkpoint, or that of one size; raises WitnessError."""

    async def proofs(self, request: ProofsRequest) -> ProofsAnswer:
        """Return proofs under one head; raises WitnessError."""

    async def consistency_path(self, first: int, second: int) -> list[bytes]:
        """Return what is to prove that a size of its log extends another; raises WitnessError."""

    async def served_policy(self) -> ServedPolicy | None:
        """Return which trust policy it serves, None if it serves none; raises WitnessError."""

    async def policy(self, version: int) -> bytes | None:
        """Return the bytes of a version's file, None if it does not have it; raises WitnessError."""


class WitnessClient:
    """A witness at its address."""

    def __init__(self, member_id: str, url: str, session: aiohttp.ClientSession) -> None:
        self.member_id = member_id
        self._url = url.rstrip("/")
        self._session = session

    async def note(self, size: int | None = None, wait: int = 0) -> SignedNote:
        path = "/checkpoint" if size is None else f"/checkpoint/{size}?wait={wait}"
        data = await self._ask("GET", path, None, MAX_NOTE_BYTES, wait)
        try:
            return SignedNote.from_bytes(data)
        except InvalidInputError as error:
            raise self._error(f"gave no checkpoint: {error}") from error

    async def proofs(self, request: ProofsRequest) -> ProofsAnswer:
        data = await self._ask("POST", "/proofs", request.to_bytes(), request.answer_bytes, request.wait)
        try:
            # In a thread: whoever lies must not keep the answers of others waiting.
            return await asyncio.to_thread(ProofsAnswer.from_bytes, data, request)
        except InvalidInputError as error:
            raise self._error(f"gave proofs that cannot be read: {error}") from error

    async def cosigned(self, member_id: str) -> SignedNote | None:
        """Return the newest note with a member's cosignature that this witness has seen, if any; raises WitnessError."""
        try:
            data = await self._ask("GET", f"/cosigned/{member_id}", None, MAX_NOTE_BYTES, 0)
            return SignedNote.from_bytes(data)
        except NotThereError:
            return None
        except InvalidInputError as error:
            raise self._error(f"gave no note of {member_id}: {error}") from error

    async def served_policy(self) -> ServedPolicy | None:
        """Return which trust policy it serves, by the answer's ETag, None if it serves none; raises WitnessError."""
        try:
            _, tag = await self._request("HEAD", "/policy", None, 0, 0)
        except NotThereError:
            return None
        found = _POLICY_TAG.fullmatch(tag or "")
        return None if found is None else ServedPolicy(int(found[1]), bytes.fromhex(found[2]))

    async def policy(self, version: int) -> bytes | None:
        """Return the bytes of a version of the trust policy, None if it does not have it; raises WitnessError."""
        try:
            return await self._ask("GET", f"/policy/{version}", None, MAX_POLICY_BYTES, 0)
        except NotThereError:
            return None

    async def tile(self, tile: Tile) -> bytes:
        """Return a tile's bytes as they are served, at most as many as its width has; raises WitnessError."""
        return await self._ask("GET", f"/{tile.path}", None, tile.width * HASH_SIZE, 0)

    async def bundle(self, index: int, width: int) -> bytes:
        """Return the bytes of a bundle of entries as they are served; raises WitnessError."""
        return await self._ask("GET", f"/{entries_path(index, width)}", None, MAX_BUNDLE_BYTES, 0)

    async def consistency_path(self, first: int, second: int) -> list[bytes]:
        """Return what is to prove that a size of the log extends another; raises WitnessError."""
        data = await self._ask(
            "GET", f"/proof/consistency?first={first}&second={second}", None, _MAX_PATH_BYTES, 0
        )
        try:
            members = fields.an_object(decode(data), "consistency proof", _PATH_FIELDS)
            return list(fields.hash_array(members["path"], "consistency proof: path", 2 * MAX_PATH))
        except InvalidInputError as error:
            raise self._error(f"gave a proof that cannot be read: {error}") from error

    async def _ask(self, method: str, path: str, body: bytes | None, limit: int, wait: int) -> bytes:
        data, _ = await self._request(method, path, body, limit, wait)
        return data

    async def _request(
        self, method: str, path: str, body: bytes | None, limit: int, wait: int
    ) -> tuple[bytes, str | None]:
        """Return an answer's body, and its ETag if it has one."""
        timeout = aiohttp.ClientTimeout(
            total=min(wait, MAX_WAIT_SECONDS) + ANSWER_SECONDS, connect=CONNECT_SECONDS
        )
        try:
            async with self._session.request(
                method, self._url + path, data=body, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status != 200:
                    said = await _read(response, _MAX_ERROR_BYTES)
                    kind = NotThereError if response.status == 404 else WitnessError
                    what = f"answered {response.status}: {said.decode(errors='replace').strip()}"
                    raise self._error(what, kind)
                return await _read(response, limit), response.headers.get("ETag")
        except TimeoutError:
            raise self._error("did not answer in time") from None
        except _TooLongError:
            raise self._error(f"answered with more than {limit} bytes") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._error(f"cannot be reached: {error}") from error

    def _error(self, what: str, kind: type[WitnessError] = WitnessError) -> WitnessError:
        return kind(f"the witness of {self.member_id} ({self._url}) {what}")


class _TooLongError(Exception):
    pass


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_chunked(1 << 16):
        parts.append(part)
        size += len(part)
        if size > limit:
            raise _TooLongError
    return b"".join(parts)


class UnusableWitness(WitnessClient):
    """A witness that cannot be asked, for what the policy says about it cannot be used: it costs its own member only."""

    def __init__(self, member_id: str, url: str, session: aiohttp.ClientSession, reason: str) -> None:
        super().__init__(member_id, url, session)
        self._reason = reason

    async def _request(
        self, method: str, path: str, body: bytes | None, limit: int, wait: int
    ) -> tuple[bytes, str | None]:
        raise self._error(f"cannot be asked: {self._reason}")


@asynccontextmanager
async def open_witnesses(policy: TrustPolicy, now: int) -> AsyncIterator[list[WitnessClient]]:
    """Open the witnesses of those who are members now and have an address in the policy."""
    async with AsyncExitStack() as stack:
        witnesses = []
        for member in policy.members_at(now):
            if member.witness is not None:
                witnesses.append(await _open(stack, member.id, member.witness))
        yield witnesses


async def _open(stack: AsyncExitStack, member_id: str, address: WitnessAddress) -> WitnessClient:
    try:
        context = ssl.create_default_context(cadata=address.tls_root)
    except (ssl.SSLError, ValueError, TypeError) as error:
        # It gets a session like the others, which is never used.
        session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        reason = f"its TLS root in the trust policy is none: {error}"
        return UnusableWitness(member_id, address.url, session, reason)
    connector = aiohttp.TCPConnector(ssl=context)
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, trust_env=False))
    return WitnessClient(member_id, address.url, session)
