"""Node packages for the interoperability tests: installed once per set of versions, outside the checkout."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

INSTALL_SECONDS = 240


def installed_project(source: Path) -> Path:
    """Copy a folder of scripts with a package.json beside its installed packages; skips where Node or npm cannot do it."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on PATH")
    digest = hashlib.sha256(
        b"".join(f.read_bytes() for f in sorted(source.iterdir()) if f.is_file())
    ).hexdigest()
    folder = _cache() / f"{source.name}-{digest[:16]}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            fresh = Path(temporary) / source.name
            shutil.copytree(source, fresh)
            _npm_install(fresh)
            with suppress(OSError):  # another run was quicker: its copy is the same
                fresh.rename(folder)
    return folder


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "shirushi-interop"


def _npm_install(folder: Path) -> None:
    command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        subprocess.run(
            command, cwd=folder, check=True, timeout=INSTALL_SECONDS, capture_output=True, text=True
        )
    except subprocess.CalledProcessError as error:
        pytest.skip(f"npm cannot install the packages of {folder.name}: {error.stderr[-500:]}")
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not install the packages of {folder.name} within {INSTALL_SECONDS} s")
