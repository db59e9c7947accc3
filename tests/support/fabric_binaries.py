"""Finding Fabric's own programs: in the folder named by FABRIC_BIN, or on PATH."""

from __future__ import annotations

import os
import shutil

import pytest


def fabric_binary(name: str) -> str:
    """Return the path of one of Fabric's programs, or skip the test that needs it."""
    path = shutil.which(name, path=os.environ.get("FABRIC_BIN")) or shutil.which(name)
    if path is None:
        pytest.skip(f"Fabric's {name} is neither in FABRIC_BIN nor on PATH")
    return path
