"""What processes take while something is measured: the processor's time, and memory at its highest.

The issuer is this process and those it starts; the network's are those that run in its data folder or were told of it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil

SAMPLE_SECONDS = 0.25
"""How often memory is looked at; a peak between two looks is not seen."""

ISSUER = "issuer"
NODE = "node"
"""What a network's process is called that is not a node of one kind, in the folder of that name."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor seconds, and by kind of process the memory (resident, in MB) of the one that had most at any moment."""

    issuer_cpu_seconds: float
    network_cpu_seconds: float
    peaks_mb: Mapping[str, float]


@dataclass(slots=True)
class Watch:
    """The processes being watched: the network's by what they are called, and this one."""

    network: Mapping[psutil.Process, str]
    own: psutil.Process = field(default_factory=psutil.Process)
    peaks: dict[str, int] = field(default_factory=dict)
    started: tuple[float, float] = (0.0, 0.0)
    ended: tuple[float, float] = (0.0, 0.0)

    def sample(self) -> None:
        """Look at what memory all have now."""
        for process, name in [*self.network.items(), *((each, ISSUER) for each in self._issuers())]:
            resident = _of(lambda process=process: process.memory_info().rss, 0)  # type: ignore[misc]
            self.peaks[name] = max(self.peaks.get(name, 0), resident)

    def cpu(self) -> tuple[float, float]:
        """Return the processor seconds taken so far by the issuer, ended children included, and by the network."""
        issuer = sum(_cpu(process) for process in self._issuers())
        ended = self.own.cpu_times()
        return issuer + ended.children_user + ended.children_system, sum(map(_cpu, self.network))

    def usage(self) -> Usage:
        """Return what was taken from the beginning of the watch to its end."""
        issuer, network = (end - start for end, start in zip(self.ended, self.started, strict=True))
        return Usage(
            issuer,
            network,
            {name: round(peak / (1 << 20), 1) for name, peak in sorted(self.peaks.items())},
        )

    def _issuers(self) -> list[psutil.Process]:
        children = self.own.children(recursive=True)
        return [self.own, *(child for child in children if child not in self.network)]


@contextmanager
def watching(root: Path) -> Iterator[Watch]:
    """Watch this process and those of the network in a data folder, until the end of the block."""
    watch = Watch(network_processes(root))
    watch.started = watch.cpu()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            watch.sample()

    thread = threading.Thread(target=look, name="shirushi-watch")
    watch.sample()
    thread.start()
    try:
        yield watch
    finally:
        watch.ended = watch.cpu()
        ended.set()
        thread.join()
        watch.sample()


def network_processes(root: Path) -> dict[psutil.Process, str]:
    """Return the processes of the network in a data folder, and what each is."""
    found = {}
    root = root.resolve()
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        folder = Path(_of(process.cwd, "/"))
        if folder.is_relative_to(root) and folder != root:
            found[process] = folder.name
        elif str(root) in _of(process.cmdline, list[str]()):
            found[process] = NODE
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, user and system; raises OSError if there is none, or no /proc."""
    fields = (
        Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    )
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def file_system(folder: Path) -> str:
    """Return the kind of file system that a folder is on, "unknown" where the machine does not say."""
    folder = folder.resolve()
    mounts = [
        (len(part.mountpoint), part.fstype)
        for part in psutil.disk_partitions(all=True)
        if folder.is_relative_to(part.mountpoint)
    ]
    return max(mounts, default=(0, "unknown"))[1]


def _cpu(process: psutil.Process) -> float:
    times = _of(process.cpu_times, None)
    return 0.0 if times is None else float(times.user + times.system)


def _of(ask: Callable[[], Answer], otherwise: Answer) -> Answer:
    """Ask about a process that may have ended, or be somebody else's."""
    with suppress(psutil.Error, OSError):
        return ask()
    return otherwise
