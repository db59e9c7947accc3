"""Fabric's programs on this machine: where they are, and whether they are new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shirushi_network.errors import ConsortiumError

OLDEST = (3, 1)
"""Fabric's first release with BFT ordering and write batches to chaincodes is 3.1."""

VARIABLE = "FABRIC_BIN"
_VERSION = re.compile(r"^ *Version: v?(([0-9]+)\.([0-9]+)[^\s]*)", re.MULTILINE)
_SECONDS = 20.0


class BinariesError(ConsortiumError):
    """A program of Fabric's that is missing, does not run, or is too old."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """The two programs that members run."""

    orderer: Path
    peer: Path


def find_binaries(folder: Path | None, environment: Mapping[str, str]) -> Binaries:
    """Find orderer and peer in a folder, else in FABRIC_BIN, else on PATH, and check their versions.

    Raises BinariesError.
    """
    return Binaries(*(_checked(_find(name, folder, environment)) for name in ("orderer", "peer")))


def parse_version(output: str) -> tuple[str, tuple[int, int]] | None:
    """Return the version that a program of Fabric's prints, in full and as (major, minor); None if there is none."""
    found = _VERSION.search(output)
    return None if found is None else (found[1], (int(found[2]), int(found[3])))


def _find(name: str, folder: Path | None, environment: Mapping[str, str]) -> Path:
    if folder is not None:
        places, where = [str(folder)], f"in {folder}"
    else:
        places = [environment.get(VARIABLE, ""), environment.get("PATH", os.defpath)]
        where = f"on PATH, nor in {VARIABLE}" if not places[0] else f"in {places[0]}, nor on PATH"
    for place in places:
        found = shutil.which(name, path=place) if place else None
        if found is not None:
            return Path(found).absolute()
    oldest = ".".join(map(str, OLDEST))
    raise BinariesError(
        f"Fabric's {name} is not {where}: install Hyperledger Fabric {oldest} or later, and name the folder of its "
        "programs with --binaries"
    )


def _checked(program: Path) -> Path:
    try:
        done = subprocess.run(  # noqa: S603 - the operator names the program
            [program, "version"], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BinariesError(f"{program} does not run: {error}") from error
    found = parse_version(done.stdout)
    oldest = ".".join(map(str, OLDEST))
    if found is None:
        raise BinariesError(
            f"{program} does not say its version: expected Hyperledger Fabric {oldest} or later"
        )
    if found[1] < OLDEST:
        raise BinariesError(
            f"{program} is version {found[0]}: expected Hyperledger Fabric {oldest} or later, which has BFT ordering"
        )
    return program
