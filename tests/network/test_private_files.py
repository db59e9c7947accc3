"""What is secret in a data folder is readable by its owner only, and stays out of the log."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tests.support.command import shirushi
from tests.support.live_consortium import LiveConsortium

from shirushi_network.witness_keys import BLS_KEY

KEYS_OF_A_MEMBER = 15
"""Two authorities; peer and orderer with identity and TLS each; chaincode TLS; admin, issuer and client; the seal; the
witness's TLS, log key, cosigner key and BLS seed."""


@pytest.fixture(scope="module")
def data(live_consortium: LiveConsortium, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that was used: certificates were issued and revoked."""
    certificate = tmp_path_factory.mktemp("private") / "certificate.txt"
    certificate.write_text("private files")
    assert shirushi("issue", certificate, "--type", "private", data=live_consortium.root).exit_code == 0
    revoke = shirushi("revoke", certificate, "--reason", "other", data=live_consortium.root)
    assert revoke.exit_code == 0
    return live_consortium.root


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def key_files(data: Path) -> list[Path]:
    return [
        path
        for path in data.rglob("*")
        if path.is_file() and (path.name == BLS_KEY or b"PRIVATE KEY" in path.read_bytes())
    ]


def secrets_of(path: Path) -> list[bytes]:
    """What nobody may find elsewhere: the key's number or seed, as bytes and hex, and the lines that hold it."""
    data = path.read_bytes()
    if path.name == BLS_KEY:
        return [data.strip(), bytes.fromhex(data.decode())]
    key = load_pem_private_key(data, None)
    if isinstance(key, Ed25519PrivateKey):
        return [key.private_bytes_raw(), key.private_bytes_raw().hex().encode(), data.splitlines()[1]]
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    scalar = key.private_numbers().private_value.to_bytes(32, "big")
    _, *private_lines, _, _ = data.splitlines()  # the last one is of the public key only
    assert len(private_lines) == 2
    return [scalar, scalar.hex().encode(), *private_lines]


def test_every_private_key_is_readable_by_its_owner_only(live_consortium: LiveConsortium, data: Path) -> None:
    found = key_files(data)
    assert len(found) == KEYS_OF_A_MEMBER * len(live_consortium.topology.members)
    assert {path: oct(mode(path)) for path in found if mode(path) != 0o600} == {}


def test_every_folder_on_the_way_to_a_key_is_open_to_its_owner_only(data: Path) -> None:
    folders = {parent for path in key_files(data) for parent in path.parents if parent.is_relative_to(data)}
    assert data in folders
    assert {path: oct(mode(path)) for path in folders if mode(path) != 0o700} == {}


def test_the_journals_with_their_salts_are_readable_by_their_owner_only(data: Path) -> None:
    journals = [path for path in (data / "issuer").iterdir() if path.is_file()]
    assert {"journal.db", "changes.db"} <= {path.name for path in journals}
    assert {path: oct(mode(path)) for path in journals if mode(path) != 0o600} == {}
    assert mode(data / "issuer") == 0o700


def test_the_ledger_and_the_control_socket_belong_to_their_owner_only(
    live_consortium: LiveConsortium, data: Path
) -> None:
    assert mode(data / "ledger" / "data.mdb") == 0o600
    assert mode(live_consortium.layout.control_socket) == 0o600


def test_no_key_is_in_the_log_or_in_what_is_public(live_consortium: LiveConsortium, data: Path) -> None:
    layout = live_consortium.layout
    public = [layout.log, layout.connection, layout.topology, layout.genesis, *layout.users.iterdir()]
    public += [path for path in layout.ledger.iterdir() if path.is_file()]
    contents = {path: path.read_bytes() for path in public}
    assert contents[layout.genesis].count(b"BEGIN CERTIFICATE"), "the search would find PEM"
    for path in key_files(data):
        for secret in secrets_of(path):
            assert [place for place, content in contents.items() if secret in content] == []
    assert [place for place, content in contents.items() if b"PRIVATE KEY" in content] == []
