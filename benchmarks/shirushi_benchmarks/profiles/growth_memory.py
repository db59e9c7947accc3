"""How much memory a process has at its highest, as the kernel counts it.

Memory is of two kinds. Private memory is what the process itself allocated. Resident memory also has the pages of files that are
mapped, as lmdb maps its whole store: after much reading it is as large as the store is, and the kernel takes it back when others
need it. Source: proc(5), /proc/[pid]/status; Linux only.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from types import TracebackType

SAMPLE_SECONDS = 0.1

_MEMORY = re.compile(r"^(RssAnon|VmRSS):\s+([0-9]+) kB$", re.MULTILINE)
_KB_PER_MB = 1024


class Watch:
    """Watches a process while the context is open; figures are in MB, 0.0 for a process that is not there."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"watching {pid}")
        self._peaks = {"RssAnon": 0, "VmRSS": 0}

    @property
    def private_mb(self) -> float:
        """The most private memory seen."""
        return round(self._peaks["RssAnon"] / _KB_PER_MB, 1)

    @property
    def resident_mb(self) -> float:
        """The most memory seen, pages of mapped files included."""
        return round(self._peaks["VmRSS"] / _KB_PER_MB, 1)

    def stages(self, whose: str) -> dict[str, float]:
        """Return the figures under names for a measurement."""
        return {
            f"{whose}_peak_private_mb": self.private_mb,
            f"{whose}_peak_resident_mb": self.resident_mb,
        }

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._look()

    def _look(self) -> None:
        try:
            status = Path(f"/proc/{self._pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return
        for name, kilobytes in _MEMORY.findall(status):
            self._peaks[name] = max(self._peaks[name], int(kilobytes))
