"""Node programs: a folder of scripts with a package.json, and its packages installed once for each version of it.

They are installed outside the checkout, below the user's cache; nothing is pinned but what package.json names.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from shirushi_benchmarks.peers.errors import CannotMeasureError

INSTALL_SECONDS = 240
_INSTALL = ("install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
_LAST_WORDS = 500


def node_program(source: Path, what: str) -> Path:
    """Return a copy of a folder of scripts with its packages beside them; `what` is said where it cannot be had.

    Raises CannotMeasureError where Node.js or npm is missing, or npm cannot get the packages.
    """
    npm = _program("npm", what)
    _program("node", what)
    folder = _cache() / f"{source.name}-{_digest(source)[:16]}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            fresh = Path(temporary) / source.name
            shutil.copytree(source, fresh)
            _install(npm, fresh, what)
            with suppress(OSError):  # another run was quicker: its copy is the same
                fresh.rename(folder)
    return folder


def _program(name: str, what: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise CannotMeasureError(what, f"{name} is not on PATH")
    return found


def _digest(source: Path) -> str:
    files = sorted(file for file in source.iterdir() if file.is_file())
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shirushi-node"


def _install(npm: str, folder: Path, what: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603
            [npm, *_INSTALL], cwd=folder, check=False, timeout=INSTALL_SECONDS, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired:
        raise CannotMeasureError(
            what, f"npm did not install its packages within {INSTALL_SECONDS} s"
        ) from None
    if done.returncode:
        words = " ".join(done.stderr.split())[-_LAST_WORDS:]
        raise CannotMeasureError(what, f"npm cannot install its packages: {words}")
