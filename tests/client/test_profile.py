from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shirushi_client.profile import ProfileError, data_folder, load_profile


def pem(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def write(folder: Path, **changes: Any) -> None:
    (folder / "users").mkdir(exist_ok=True)
    profile = {
        "member": "iizuka",
        "msp_id": "IizukaMSP",
        "certificate": "cert.pem",
        "key": "key.pem",
        "issuer": "iizuka-city",
        "seal_key": "seal.pem",
    }
    (folder / "users" / "issuer.json").write_text(json.dumps(profile | changes))


def test_a_profile_names_an_identity_by_files_relative_to_the_data_folder(tmp_path: Path) -> None:
    write(tmp_path)
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "seal.pem").write_bytes(pem(key))
    profile = load_profile(tmp_path, "issuer")
    assert (profile.member, profile.msp_id, profile.issuer_id()) == ("iizuka", "IizukaMSP", "iizuka-city")
    assert profile.certificate == tmp_path / "cert.pem"
    assert profile.load_seal_key().private_numbers() == key.private_numbers()


def test_a_profile_that_is_not_there_is_said_with_those_that_are(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(ProfileError, match="profiles there: issuer"):
        load_profile(tmp_path, "verifier")


@pytest.mark.parametrize("changes", [{"member": 3}, {"issuer": "Not An Id"}, {"key": None}])
def test_a_defect_is_refused_with_the_files_name(tmp_path: Path, changes: dict[str, Any]) -> None:
    write(tmp_path, **changes)
    with pytest.raises(ProfileError, match=r"issuer\.json"):
        load_profile(tmp_path, "issuer")


def test_a_profile_without_an_issuer_issues_nothing(tmp_path: Path) -> None:
    write(tmp_path, issuer=None, seal_key=None)
    profile = load_profile(tmp_path, "issuer")
    with pytest.raises(ProfileError, match="names no issuer"):
        profile.issuer_id()
    with pytest.raises(ProfileError, match="no seal key"):
        profile.load_seal_key()


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"no key",
        pem(ed25519.Ed25519PrivateKey.generate()),
        pem(ec.generate_private_key(ec.SECP384R1())),
    ],
    ids=["missing", "not_pem", "ed25519", "p384"],
)
def test_a_wrong_seal_key_is_said_with_its_file(tmp_path: Path, content: bytes | None) -> None:
    write(tmp_path)
    if content is not None:
        (tmp_path / "seal.pem").write_bytes(content)
    with pytest.raises(ProfileError, match=r"seal\.pem"):
        load_profile(tmp_path, "issuer").load_seal_key()


def test_the_data_folder_is_the_one_named_then_the_environments_then_the_users_and_never_one_of_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    environment = {"SHIRUSHI_DATA": "/from/environment"}
    assert data_folder(Path("/named"), environment) == Path("/named")
    assert data_folder(None, environment) == Path("/from/environment")
    assert data_folder(None, {}) == tmp_path / "home/.local/share/shirushi"
    assert data_folder(None, {"XDG_DATA_HOME": "/data"}) == Path("/data/shirushi")
    (tmp_path / ".shirushi").mkdir()
    assert data_folder(None, {}) == tmp_path / "home/.local/share/shirushi"
    assert data_folder(None, {"XDG_DATA_HOME": ".shirushi"}) == tmp_path / "home/.local/share/shirushi"
    assert (
        data_folder(None, {"XDG_DATA_HOME": "", "SHIRUSHI_DATA": ""})
        == tmp_path / "home/.local/share/shirushi"
    )
