"""Bad input on the command line: one clear sentence, the right exit code, and nothing half-written."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.command import shirushi
from tests.support.live_consortium import LiveConsortium

from shirushi_client.hashing import digest_file
from shirushi_client.session import VERIFIER, open_session
from shirushi_client.trust_policy_file import read_policy
from shirushi_client.verifier.offline_verifier import OfflineVerifier
from shirushi_client.verifier.verifier import Verifier, read_receipt
from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.report import Verdict

USAGE = 3
FLIPS = 150


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two certificates."""
    made = tmp_path / "certificates"
    made.mkdir()
    for name in ("a", "b"):
        (made / f"{name}.txt").write_text(f"bad input: {name}")
    return made


@pytest.fixture
def issued(live_consortium: LiveConsortium, folder: Path) -> Path:
    """The same folder, with receipts."""
    assert shirushi("issue", folder, "--type", "bad-input", data=live_consortium.root).exit_code == 0
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def dangling_link(folder: Path) -> Path:
    path = folder / "link.txt"
    path.symlink_to(folder / "nowhere.txt")
    return path


def pipe(folder: Path) -> Path:
    path = folder / "pipe.txt"
    os.mkfifo(path)
    return path


def without_permission(folder: Path) -> Path:
    if os.geteuid() == 0:
        pytest.skip("root may read any file")
    path = folder / "secret.txt"
    path.write_text("secret")
    path.chmod(0)
    return path


@pytest.mark.parametrize("make", [dangling_link, pipe, without_permission])
def test_a_file_that_cannot_be_read_stops_the_issuing_before_it_begins(
    live_consortium: LiveConsortium, folder: Path, make: object
) -> None:
    assert callable(make)
    bad: Path = make(folder)
    height = live_consortium.height
    for arguments in ([folder], [folder / "a.txt", bad], [folder / "a.txt", folder / "missing.txt"]):
        run = shirushi("issue", *arguments, "--type", "bad-input", data=live_consortium.root)
        assert run.exit_code == 1
        assert str(arguments[-1]) in run.sentence
    assert live_consortium.height == height
    assert list(folder.glob("*.receipt.json")) == []


def test_an_empty_folder_is_said_to_be_empty(live_consortium: LiveConsortium, tmp_path: Path) -> None:
    empty, out = tmp_path / "empty", tmp_path / "out"
    empty.mkdir()
    run = shirushi("issue", empty, "--type", "bad-input", "--out", out, data=live_consortium.root)
    assert run.exit_code == 1
    assert run.sentence == f"the folder {empty} holds no file to issue"
    assert not out.exists()


@pytest.mark.parametrize("arguments", [["--type", "Not A Type"], ["--type", ""], ["--valid-until", "soon"]])
def test_a_malformed_option_is_usage(
    live_consortium: LiveConsortium, folder: Path, arguments: list[str]
) -> None:
    rest = [] if "--type" in arguments else ["--type", "bad-input"]
    run = shirushi("issue", folder, *arguments, *rest, data=live_consortium.root)
    assert run.exit_code == USAGE
    assert run.sentence
    assert list(folder.glob("*.receipt.json")) == []


def test_a_receipt_of_another_file_makes_a_file_not_valid_and_changes_no_status(
    live_consortium: LiveConsortium, issued: Path
) -> None:
    data, file, other = live_consortium.root, issued / "a.txt", issued / "b.txt.receipt.json"
    assert shirushi("verify", file, "--receipt", other, data=data).exit_code == 1
    (issued / "a.txt.receipt.json").write_bytes(other.read_bytes())
    run = shirushi("revoke", file, "--reason", "issued_in_error", data=data)
    assert run.exit_code == 1
    assert "is not the receipt of" in run.sentence
    assert shirushi("verify", issued / "b.txt", data=data).exit_code == 0


def test_a_truncated_receipt_is_no_receipt(live_consortium: LiveConsortium, issued: Path) -> None:
    receipt = issued / "a.txt.receipt.json"
    whole = receipt.read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 3):
        receipt.write_bytes(whole[:length])
        verified = shirushi("verify", issued / "a.txt", data=live_consortium.root)
        assert (verified.exit_code, str(receipt) in verified.sentence) == (USAGE, True)
        revoked = shirushi("revoke", receipt, "--reason", "issued_in_error", data=live_consortium.root)
        assert (revoked.exit_code, str(receipt) in revoked.sentence) == (1, True)
    receipt.write_bytes(whole)
    assert shirushi("verify", issued / "a.txt", data=live_consortium.root).exit_code == 0


def flipped_bits(whole: bytes, places: random.Random) -> Iterator[Receipt | None]:
    """Yield what is read of a receipt with one bit changed: None where that is no receipt any more."""
    for _ in range(FLIPS):
        content = bytearray(whole)
        content[places.randrange(len(content))] ^= 1 << places.randrange(8)
        try:
            yield Receipt.from_bytes(bytes(content))
        except InvalidInputError:
            yield None


def test_no_receipt_with_a_flipped_bit_makes_a_file_valid_by_its_own_evidence(
    live_consortium: LiveConsortium, issued: Path
) -> None:
    whole, digest = (issued / "a.txt.receipt.json").read_bytes(), digest_file(str(issued / "a.txt"))
    verifier = OfflineVerifier(read_policy(live_consortium.root / "trust-policy.json"))
    assert verifier.verify_digest(digest, Receipt.from_bytes(whole)).verdict is Verdict.VALID
    found = {
        None if receipt is None else verifier.verify_digest(digest, receipt).verdict
        for receipt in flipped_bits(whole, random.Random(9162))
    }
    assert found == {None, Verdict.CANNOT_CONFIRM}  # damage speaks against nothing


def test_no_receipt_with_a_flipped_bit_makes_a_file_valid_by_the_ledger(
    live_consortium: LiveConsortium, issued: Path
) -> None:
    """By the ledger a receipt's evidence is not looked at; everything else in it is."""
    complete, digest = read_receipt(issued / "a.txt.receipt.json"), digest_file(str(issued / "a.txt"))
    whole = replace(complete, log=None, status=None).to_bytes()

    async def outcomes() -> set[Verdict | None]:
        async with open_session(live_consortium.root, VERIFIER) as session:
            verifier = Verifier(session.consortium, session.members)
            return {
                None if receipt is None else (await verifier.verify_digest(digest, receipt)).verdict
                for receipt in flipped_bits(whole, random.Random(9162))
            }

    found = asyncio.run(outcomes())
    assert found == {None, Verdict.CANNOT_CONFIRM}


@pytest.mark.parametrize(
    ("keystore", "of"),
    [
        ("members/iizuka/users/client/msp/keystore/priv_sk", "of another user of the member"),
        ("members/kaguya/users/issuer/msp/keystore/priv_sk", "of another member"),
    ],
)
def test_a_key_that_is_not_the_certificates_issues_nothing(
    live_consortium: LiveConsortium, folder: Path, tmp_path: Path, keystore: str, of: str
) -> None:
    profile = live_consortium.profile("iizuka", "issuer", issuer="iizuka-city") | {"key": keystore}
    data = live_consortium.seen_from(tmp_path / "data", issuer=profile)
    height = live_consortium.height
    run = shirushi("issue", folder, "--type", "wrong-key", data=data)
    assert run.exit_code == 1
    assert run.sentence
    assert live_consortium.height == height, of
    assert list(folder.glob("*.receipt.json")) == []

    right = live_consortium.profile("iizuka", "issuer", issuer="iizuka-city")
    (data / "users" / "issuer.json").write_text(json.dumps(right))
    assert shirushi("issue", folder, "--type", "wrong-key", data=data).exit_code == 0
    assert len(list(folder.glob("*.receipt.json"))) == 2


def test_a_seal_key_that_is_not_registered_issues_nothing(
    live_consortium: LiveConsortium, folder: Path, tmp_path: Path
) -> None:
    profile = live_consortium.profile("iizuka", "issuer", issuer="iizuka-city", seal_of="gcom")
    data = live_consortium.seen_from(tmp_path / "data", issuer=profile)
    run = shirushi("issue", folder, "--type", "wrong-seal", data=data)
    assert run.exit_code == 1
    assert "SEAL_KEY_REFUSED" in run.sentence
    assert list(folder.glob("*.receipt.json")) == []


@pytest.mark.parametrize(
    "content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_file_that_is_no_key_is_named(
    live_consortium: LiveConsortium, folder: Path, tmp_path: Path, content: bytes
) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_bytes(content)
    profile = live_consortium.profile("iizuka", "issuer", issuer="iizuka-city") | {"key": str(bad)}
    data = live_consortium.seen_from(tmp_path / "data", issuer=profile)
    run = shirushi("issue", folder, "--type", "bad-key", data=data)
    assert run.exit_code == 1
    assert str(bad) in run.sentence
    assert not (data / "issuer").exists()


def test_an_out_folder_that_is_a_file_is_refused_before_anything_is_sent(
    live_consortium: LiveConsortium, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.write_text("a file")
    height = live_consortium.height
    run = shirushi("issue", folder, "--type", "bad-input", "--out", out, data=live_consortium.root)
    assert run.exit_code == 1
    assert str(out) in run.sentence
    assert live_consortium.height == height
    assert out.read_text() == "a file"


def test_verifying_what_is_not_there_is_usage(live_consortium: LiveConsortium, issued: Path) -> None:
    data = live_consortium.root
    for arguments in (
        [issued / "missing.txt"],
        [issued / "a.txt", "--receipt", issued / "missing.json"],
        [issued / "a.txt", "--receipt", issued],
        [issued, "--receipt", issued / "a.txt.receipt.json"],
        [issued / "a.txt", "--policy", issued / "missing.json"],
        [issued / "a.txt", "--policy", issued / "a.txt.receipt.json"],
    ):
        run = shirushi("verify", *arguments, data=data)
        assert run.exit_code == USAGE
        assert run.sentence
    assert shirushi("verify", issued / "a.txt", data=issued / "no-consortium").exit_code == USAGE


def test_the_command_itself_prints_one_line_and_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from shirushi_client.cli.main import main; main()"]
    command += ["verify", str(tmp_path / "missing.pdf"), "--data", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == USAGE
    assert (run.stdout, run.stderr.count("\n")) == ("", 1)
    assert run.stderr.startswith("shirushi: ")
