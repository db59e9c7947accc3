"""Reading and hashing certificate files in processes of their own, so that one core is not the limit."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from shirushi_client.hashing import FileDigest, digest_files
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.commitment import DIGEST_SIZE

CHUNK = 2048
"""Files that a process is given at a time."""


class ReaderLostError(ShirushiError):
    """A process that read certificates and ended before it had answered."""


class Readers:
    """Processes that read; they are started when they are first needed."""

    def __init__(self, processes: int) -> None:
        # Not by forking: threads of gRPC do not survive that.
        self._pool = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))

    async def digests(self, paths: Sequence[str]) -> list[FileDigest]:
        """Return the digests of files, in their order; raises CertificateFileError, ReaderLostError."""
        loop = asyncio.get_running_loop()
        chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
        try:
            parts = await asyncio.gather(
                *(loop.run_in_executor(self._pool, _packed_digests, chunk) for chunk in chunks)
            )
        except BrokenProcessPool as error:
            raise ReaderLostError(
                "a process that reads certificates has ended: issue them again; nothing of what is on disk is lost"
            ) from error
        return [
            FileDigest(digests[DIGEST_SIZE * number : DIGEST_SIZE * (number + 1)], size)
            for digests, sizes in parts
            for number, size in enumerate(sizes)
        ]

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)


def _packed_digests(paths: Sequence[str]) -> tuple[bytes, list[int]]:
    """Return digests one after the other, and sizes: two values travel between processes faster than thousands."""
    digests = digest_files(paths)
    return b"".join([each.sha256 for each in digests]), [each.size for each in digests]


@contextmanager
def open_readers(jobs: int) -> Iterator[Readers | None]:
    """Open the readers of an issuer that may use so many processes, itself included; None if that is one."""
    if jobs <= 1:
        yield None
        return
    readers = Readers(jobs - 1)
    try:
        yield readers
    finally:
        readers.close()
