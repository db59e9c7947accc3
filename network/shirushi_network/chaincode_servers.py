"""Chaincodes beside our own, each run by a server that the node dials (chaincode as a service).

DATA/chaincodes.json: {"name": "host:port", ...}. All members call the same server; a majority of them endorses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from shirushi_network.errors import ConsortiumError
from shirushi_network.files import write_atomically

OUR_OWN = "anchors"

_NAME = re.compile(r"[a-zA-Z0-9]+([-_][a-zA-Z0-9]+)*")
_ADDRESS = re.compile(r"[^\s:=]+:[0-9]{1,5}")
_TAKEN = frozenset({OUR_OWN, "qscc", "cscc", "lscc", "_lifecycle"})


class ChaincodeServerError(ConsortiumError):
    """A chaincode server that is not named as it should be."""


def parse_servers(texts: Iterable[str]) -> dict[str, str]:
    """Parse NAME=HOST:PORT texts; raises ChaincodeServerError."""
    servers: dict[str, str] = {}
    for text in texts:
        name, _, address = text.partition("=")
        if name in servers:
            raise ChaincodeServerError(f"the chaincode {name} is given twice")
        servers[name] = address
    return _checked(servers, "--chaincode")


def read_servers(path: Path) -> dict[str, str]:
    """Read the chaincode servers of a data folder, none if it has no such file; raises ChaincodeServerError."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ChaincodeServerError(f"{path}: not JSON: {error}") from None
    if not isinstance(value, dict) or not all(isinstance(address, str) for address in value.values()):
        raise ChaincodeServerError(f"{path}: expected an object of chaincode names and addresses")
    return _checked(value, str(path))


def write_servers(path: Path, servers: Mapping[str, str]) -> None:
    """Write the chaincode servers of a data folder."""
    write_atomically(path, json.dumps(servers, indent=2, sort_keys=True).encode() + b"\n")


def _checked(servers: dict[str, str], where: str) -> dict[str, str]:
    for name, address in servers.items():
        if name in _TAKEN or not _NAME.fullmatch(name):
            raise ChaincodeServerError(f"{where}: {name!r} cannot be the name of another chaincode")
        if not _ADDRESS.fullmatch(address) or not 1 <= int(address.rpartition(":")[2]) <= 65535:
            raise ChaincodeServerError(
                f"{where}: expected NAME=HOST:PORT for the chaincode {name}, found the address {address!r}"
            )
    return servers
