"""No document, name, salt or unsalted hash is in the ledger's bytes, its blocks or its log."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from tests.support.command import shirushi
from tests.support.live_consortium import LiveConsortium

from shirushi_core.proofs.receipt import Receipt
from shirushi_network.demo.certificates import made_up_certificates, render_pdf

PEOPLE = {
    "tanaka-hanako": "氏名 田中花子 生年月日 平成二年三月四日 所得金額 4,812,345円",
    "sato-taro": "氏名 佐藤太郎 住所 福岡県飯塚市新立岩5番5号 所得金額 3,998,761円",
    "suzuki-ichiro": "Name: Ichiro Suzuki-Marker; Income: 7654321; My Number 123456789018",
    "ito-mei": "氏名 伊藤芽依 続柄 長女 備考 印影省略",
}
WORDS = (
    "田中花子",
    "佐藤太郎",
    "伊藤芽依",
    "Suzuki-Marker",
    "4,812,345",
    "123456789018",
    "tanaka",
    "sato-taro",
    "suzuki-ichiro",
    "ito-mei",
    "household",
    "income-2026",
)
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "shift_jis", "euc_jp")


@dataclass(frozen=True)
class Evidence:
    """What was issued, and every byte that the ledger keeps or sends."""

    certificates: list[bytes]
    receipts: list[Receipt]
    haystacks: dict[str, bytes]

    def places_of(self, needle: bytes) -> list[str]:
        return [name for name, data in self.haystacks.items() if needle in data]


def forms(value: bytes) -> Iterator[bytes]:
    """Yield a binary value as it is, in hexadecimal digits, and in base64 of any alignment."""
    yield value
    yield value[::-1]
    yield value.hex().encode()
    yield value.hex().upper().encode()
    for altchars in (b"+/", b"-_"):
        for shift in range(3):
            whole = base64.b64encode(b"\0" * shift + value, altchars)
            yield whole[4 if shift else 0 : -4]


@pytest.fixture(scope="module")
def evidence(live_consortium: LiveConsortium, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """Issue documents about people, put them through everything that can happen, and gather what is left of it."""
    folder = tmp_path_factory.mktemp("people") / "household" / "income-2026"
    folder.mkdir(parents=True)
    for name, text in PEOPLE.items():
        (folder / f"{name}.txt").write_text(text)
    for number, certificate in enumerate(made_up_certificates(2, seed=7, issued_on="令和8年11月23日")):
        (folder / f"tanaka-{number}.pdf").write_bytes(render_pdf(certificate))
    data, files = live_consortium.root, sorted(folder.iterdir())
    steps = [
        ["issue", folder, "--type", "income-certificate"],
        ["verify", *files],
        ["suspend", files[0], "--reason", "under_investigation"],
        ["reinstate", files[0], "--reason", "investigation_closed"],
        ["revoke", files[1], "--reason", "holder_request"],
        ["supersede", files[2], files[3], "--reason", "data_corrected"],
        ["revoke", files[0], "--batch", "--reason", "issued_in_error"],
        ["history", files[1]],
    ]
    for step in steps:
        assert shirushi(*step, data=data).exit_code == 0
    receipts = [Receipt.from_bytes(Path(f"{file}.receipt.json").read_bytes()) for file in files]
    kept = [
        *live_consortium.layout.ledger.rglob("*"),
        live_consortium.layout.log,
        live_consortium.layout.genesis,
    ]
    haystacks = {path.name: path.read_bytes() for path in kept if path.is_file()}
    blocks = asyncio.run(live_consortium.blocks())
    haystacks |= {f"block {block.header.number}": block.SerializeToString() for block in blocks}
    return Evidence([file.read_bytes() for file in files], receipts, haystacks)


def test_what_must_be_on_the_ledger_is_found_by_the_same_search(evidence: Evidence) -> None:
    statement = evidence.receipts[0].anchor.statement
    assert any("block" in place for place in evidence.places_of(statement.root.hex().encode()))
    assert "data.mdb" in evidence.places_of(statement.root.hex().encode())
    changed = [evidence.receipts[index].commitment for index in (0, 1, 2, 3)]
    assert all("data.mdb" in evidence.places_of(commitment.hex().encode()) for commitment in changed)
    assert "data.mdb" in evidence.places_of(b"income-certificate")


def test_no_text_or_name_of_a_document_is_kept(evidence: Evidence) -> None:
    found = {}
    for word in WORDS:
        for encoding in ENCODINGS:
            needle = word.encode(encoding)
            for form in (needle, *(list(forms(needle)) if len(needle) >= 12 else ())):
                found[word, encoding] = evidence.places_of(form)
                assert found[word, encoding] == []


def test_no_part_of_a_documents_bytes_is_kept(evidence: Evidence) -> None:
    for certificate in evidence.certificates:
        for start in range(0, len(certificate) - 24, 24):
            assert evidence.places_of(certificate[start : start + 24]) == []


def test_no_salt_is_kept(evidence: Evidence) -> None:
    for receipt in evidence.receipts:
        for form in forms(receipt.salt):
            assert evidence.places_of(form) == []


def test_no_unsalted_hash_of_a_document_is_kept(evidence: Evidence) -> None:
    for certificate, receipt in zip(evidence.certificates, evidence.receipts, strict=True):
        digest = sha256(certificate).digest()
        assert digest == receipt.certificate_sha256
        for value in (digest, sha256(b"\0" + digest).digest(), sha256(b"\0" + certificate).digest()):
            for form in forms(value):
                assert evidence.places_of(form) == []
