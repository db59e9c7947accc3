"""The other members' witnesses: what they sign is fetched, verified, kept, and held against this log.

Every answer is hostile until its cosignature holds; a witness that does not answer costs a time limit and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import aiohttp

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.merkle import ProofError
from shirushi_core.proofs.note import MAX_NOTE_BYTES, SignedNote, VerifierKey
from shirushi_node.ledger.clock import Clock
from shirushi_node.witness.comparison import (
    Disagreement,
    Evidence,
    SeenNote,
    contradiction,
    read_note,
    step_back,
)
from shirushi_node.witness.metrics import Metrics
from shirushi_node.witness.settings import OtherWitness, WitnessSettings
from shirushi_node.witness.signer import Signer
from shirushi_node.witness.store import LogStore

POLL_SECONDS = 15.0
ANSWER_SECONDS = 5.0
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0
"""Seconds between attempts to hear from others what was signed before; doubled from the first on."""

_log = logging.getLogger(__name__)


class NoteClient:
    """Fetches notes from other witnesses over HTTPS, each trusted by its own TLS root; close it with close()."""

    def __init__(self, others: Sequence[OtherWitness]) -> None:
        self._contexts: dict[str, ssl.SSLContext] = {}
        for other in others:
            try:
                self._contexts[other.member_id] = ssl.create_default_context(cadata=other.tls_root.decode())
            except (ssl.SSLError, UnicodeDecodeError, ValueError):
                raise InvalidInputError(
                    f"the TLS root of {other.name_en}'s witness is no PEM certificate; take it from its bundle"
                ) from None
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS), auto_decompress=False
        )

    async def note(self, other: OtherWitness, path: str) -> bytes | None:
        """Return a note's bytes, None if there is none (404); raises ShirushiError if there is no answer to it."""
        url = f"{other.url.rstrip('/')}/{path}"
        try:
            async with self._session.get(
                url, ssl=self._contexts[other.member_id], allow_redirects=False
            ) as response:
                if response.status == 404:
                    return None
                if response.status != 200:
                    raise ShirushiError(f"{other.name_en}'s witness answers {response.status} to {url}")
                data = await response.content.read(MAX_NOTE_BYTES + 1)
                while len(data) <= MAX_NOTE_BYTES and (more := await response.content.read(MAX_NOTE_BYTES)):
                    data += more
                return data
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ShirushiError(
                f"{other.name_en}'s witness cannot be asked at {url}: {error or type(error).__name__}"
            ) from None

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


class Others:
    """Keeps an eye on the other members' witnesses for one store. `worker` has one thread: all writing is in it."""

    def __init__(
        self,
        settings: WitnessSettings,
        client: NoteClient,
        store: LogStore,
        signer: Signer,
        worker: Executor,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._client = client
        self._store = store
        self._signer = signer
        self._worker = worker
        self._metrics = metrics
        self._clock = clock
        self._evidence = Evidence(settings.folder)
        self._compared: dict[str, SeenNote] = {}
        ids = tuple(other.member_id for other in settings.others)
        self.disagreeing: tuple[str, ...] = self._evidence.members(ids)

    async def find_signed_before(self) -> None:
        """Ask until enough others have said what this witness has signed before, and tell the signer."""
        answered: dict[str, Checkpoint | None] = {}
        pause = FIRST_PAUSE
        while True:
            left = [other for other in self._settings.others if other.member_id not in answered]
            answers = await asyncio.gather(*(self._own_note(other) for other in left))
            answered.update(
                (other.member_id, answer[0])
                for other, answer in zip(left, answers, strict=True)
                if answer is not None
            )
            if len(answered) >= self._settings.quorum - 1:
                break
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        known = [checkpoint for checkpoint in answered.values() if checkpoint is not None]
        while True:
            try:
                await self._in_worker(lambda: self._signer.confirm(known))
                return
            except Exception as error:  # a full disk: a moment's trouble
                _log.error("witness: what was signed before cannot be kept: %s", ascii(str(error))[1:-1])
            await asyncio.sleep(LONGEST_PAUSE)

    async def watch(self, seconds: float) -> None:
        """Poll the others every so many seconds, for as long as the task runs."""
        while True:
            try:
                await asyncio.gather(*(self._poll(other) for other in self._settings.others))
                await self._in_worker(self._compare_all)
            except Exception as error:  # a full disk: a moment's trouble
                _log.error("witness: others cannot be watched now: %s", ascii(str(error))[1:-1])
            await asyncio.sleep(seconds)

    async def _own_note(self, other: OtherWitness) -> tuple[Checkpoint | None] | None:
        """Return what another knows this witness to have signed; None if it did not say, or not with this one's signature."""
        key = self._settings.cosigner_verifier
        try:
            data = await self._client.note(other, f"cosigned/{self._settings.member_id}")
            if data is None:
                return (None,)
            seen = read_note(data, key)
        except ShirushiError as error:
            _log.info("witness: %s", error)
            return None
        if seen.checkpoint.origin != self._settings.origin:
            return None
        return (seen.checkpoint,)

    async def _poll(self, other: OtherWitness) -> None:
        try:
            data = await self._client.note(other, "checkpoint")
            if data is None:
                return
            seen = read_note(data, other.cosigner)
        except ShirushiError as error:
            _log.info("witness: %s", error)
            return
        self._metrics.others_seen.labels(other.member_id).set(self._clock().timestamp())
        await self._in_worker(lambda: self._take_in(other, seen))

    def _take_in(self, other: OtherWitness, seen: SeenNote) -> None:
        """Keep a note if it is the member's newest, and hold it against what it signed before, and against the log."""
        if seen.checkpoint.origin != self._settings.origin:
            sentence = (
                f"cosigned a checkpoint of another log, {seen.checkpoint.origin}, with its key of this one"
            )
            self._report(Disagreement(other.member_id, sentence, seen.note, None))
            return
        kept = self._kept(other)
        sentence_of_step = step_back(seen, kept)
        if sentence_of_step is not None and kept is not None:
            self._report(Disagreement(other.member_id, sentence_of_step, seen.note, kept.note))
        elif seen.follows(kept):
            self._store.signed.keep_other(other.member_id, seen.note)
            self._metrics.others_size.labels(other.member_id).set(seen.checkpoint.size)
            self._compare(other)

    def _compare_all(self) -> None:
        for other in self._settings.others:
            self._compare(other)

    def _compare(self, other: OtherWitness) -> None:
        seen = self._kept(other)
        if seen is None or seen.checkpoint.size > self._store.size:
            return
        done = self._compared.get(other.member_id)
        if done is not None and done.checkpoint == seen.checkpoint:
            return
        size = seen.checkpoint.size
        try:
            ours = self._store.checkpoint(size)
        except ProofError as error:
            _log.error("witness: a head of %s cannot be compared: %s", other.name_en, error)
            return
        head = self._store.head(size)
        sentence = contradiction(seen, ours, is_head=head is not None)
        self._compared[other.member_id] = seen
        if sentence is not None:
            newest = self._store.newest_head() if head is None else head
            note = None if newest is None else self._signer.note(newest)
            self._report(Disagreement(other.member_id, sentence, seen.note, note))

    def _report(self, disagreement: Disagreement) -> None:
        if disagreement.member_id not in self.disagreeing:
            self.disagreeing = (*self.disagreeing, disagreement.member_id)
        try:
            is_new = self._evidence.keep(disagreement)
        except ShirushiError as error:
            _log.error("witness: %s", error)
            return
        if is_new:
            _log.error(
                "the witness of %s %s; evidence is in %s/disagreements/%s; theirs:\n%s\nours:\n%s",
                disagreement.member_id,
                disagreement.sentence,
                self._settings.folder,
                disagreement.file_name,
                disagreement.theirs.to_text(),
                "" if disagreement.ours is None else disagreement.ours.to_text(),
            )

    def _kept(self, other: OtherWitness) -> SeenNote | None:
        note = self._store.signed.other(other.member_id)
        return None if note is None else _as_seen(note, other.cosigner)

    async def _in_worker(self, work: Callable[[], object]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._worker, work)


def _as_seen(note: SignedNote, key: VerifierKey) -> SeenNote | None:
    """Read a kept note again; None if its key is not the member's any more."""
    try:
        return read_note(note.to_text().encode(), key)
    except ShirushiError:
        return None
