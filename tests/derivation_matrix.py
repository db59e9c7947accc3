"""Derives the fuzzer's corpus under every Python on PATH, with the oldest and the newest libraries that pyproject.toml allows.

    make derivation-matrix

makes an environment for each in .matrix; it needs a package index. What came of it is written to standard output.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14")
LIBRARIES = ("cryptography", "protobuf")


def oldest() -> list[str]:
    """Return the oldest versions of the libraries that may have a say: "cryptography==44.*"."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = []
    for name in LIBRARIES:
        (line,) = (each for each in project["dependencies"] if re.split("[<>=]", each)[0] == name)
        bound = re.search(r">=([0-9.]+)", line)
        assert bound is not None, line
        found.append(f"{name}=={bound[1]}.*")
    return found


def run(python: str, kind: str, pins: list[str]) -> bool:
    """Make an environment, derive the corpus in it, and say whether it gave the bytes that it has to give."""
    home = ROOT / ".matrix" / f"{python}-{kind}"
    interpreter = home / "bin" / "python"
    if not interpreter.exists():
        subprocess.run([python, "-m", "venv", str(home)], check=True)
    install = [
        str(interpreter),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--upgrade",
    ]
    command = [*install, "--editable", f"{ROOT}[network]", *pins]
    if subprocess.run(command, check=False).returncode:
        sys.stdout.write(f"{python}, {kind}: {' '.join(pins)} cannot be installed\n")
        return True
    derive = [str(interpreter), "-W", "ignore", "-m", "tests.fabric.fuzzing.corpus"]
    return subprocess.run(derive, cwd=ROOT, check=False).returncode == 0


def main() -> None:
    found = [
        run(python, kind, pins)
        for python in PYTHONS
        if shutil.which(python)
        and not subprocess.run([python, "--version"], capture_output=True, check=False).returncode
        for kind, pins in (("oldest", oldest()), ("newest", list(LIBRARIES)))
    ]
    sys.exit(0 if found and all(found) else 1)


if __name__ == "__main__":
    main()
