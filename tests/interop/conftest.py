"""Node packages for the interoperability tests: installed once per set of versions, outside the checkout."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.basic_chaincode import BasicChaincode
from tests.support.running_network import RunningNetwork

from shirushi_node.ledger.definitions import ChaincodeDefinition

INSTALL_SECONDS = 240


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


@pytest.fixture(scope="session")
def node_project() -> Callable[[Path], Path]:
    """Copy a folder of scripts with a package.json beside its installed packages; skips where Node or npm cannot do it."""

    def install(source: Path) -> Path:
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

    return install


@pytest.fixture(scope="module")
def basic_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running five-member network with the basic chaincode; gives the official client's configuration file."""
    root = tmp_path_factory.mktemp("network")
    network = RunningNetwork(root, [ChaincodeDefinition("basic", BasicChaincode())])
    network.start()
    try:
        city, other = network.topology.members[:2]
        users = network.layout.members / city.id / "users"
        configuration = {
            "endpoint": f"{city.peer.address}",
            "tlsRoot": str(network.layout.members / city.id / "tlsca" / "cert.pem"),
            "tlsName": "localhost",
            "channel": network.topology.channel,
            "chaincode": "basic",
            "mspId": city.msp_id,
            "certificate": str(users / "client" / "msp" / "signcerts" / "cert.pem"),
            "key": str(users / "client" / "msp" / "keystore" / "priv_sk"),
            "otherKey": str(network.layout.members / other.id / "users/client/msp/keystore/priv_sk"),
            "majority": [member.msp_id for member in network.topology.members[:3]],
        }
        file = root / "client.json"
        file.write_text(json.dumps(configuration), encoding="utf-8")
        yield file
    finally:
        network.stop()
