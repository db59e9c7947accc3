"""Chaincode packages for chaincode as a service: a gzipped tar of metadata.json and code.tar.gz.

The same content gives the same bytes, and so the same package id, at every member: no times, no owners.
Source: core/chaincode/persistence/chaincode_package.go, core/chaincode/persistence/persistence.go (PackageID).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import tarfile
from dataclasses import dataclass
from io import BytesIO

from shirushi_core.errors import InvalidInputError

CCAAS = "ccaas"

_LABEL = re.compile(r"[A-Za-z0-9]+([.+_-][A-Za-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class ChaincodePackage:
    """A package: its label, and its bytes as InstallChaincode takes them."""

    label: str
    content: bytes

    @property
    def package_id(self) -> str:
        """label:SHA-256 of the content, hex."""
        return f"{self.label}:{hashlib.sha256(self.content).hexdigest()}"


def ccaas_package(label: str, address: str | None = None) -> ChaincodePackage:
    """Return the package of a chaincode that runs as a service.

    `address` is where the peer dials it, without TLS; None leaves the connection to the peer's own external builder, so
    that members with servers of their own share one package. Raises InvalidInputError for a label Fabric would refuse.
    """
    if not _LABEL.fullmatch(label):
        raise InvalidInputError(f"{label!r} is no package label: letters and digits, joined by . + - _")
    connection = {} if address is None else {"address": address, "dial_timeout": "10s", "tls_required": False}
    code = _tar({"connection.json": _json(connection)})
    content = _tar({"metadata.json": _json({"label": label, "type": CCAAS}), "code.tar.gz": code})
    return ChaincodePackage(label, content)


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _tar(files: dict[str, bytes]) -> bytes:
    plain = BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)
