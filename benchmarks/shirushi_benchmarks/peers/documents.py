"""Documents that every pipeline takes: income certificates as JSON files, in OpenAttestation's v2 form, all of one size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shirushi_core.errors import InvalidInputError

SIZE = 2048
"""Bytes in a document, unless another size is asked for."""

_INCOMES = (
    *(
        "salary",
        "business",
        "farming",
        "realEstate",
        "interest",
        "dividends",
        "pension",
        "otherMiscellaneous",
    ),
    *("occasional", "shortTermGains", "longTermGains", "separateShortTermGains", "separateLongTermGains"),
    *("listedDividends", "listedShares", "unlistedShares", "futures", "forestry", "retirement", "total"),
)
_DEDUCTIONS = (
    *(
        "basic",
        "socialInsurance",
        "smallEnterpriseMutualAid",
        "lifeInsurance",
        "earthquakeInsurance",
        "medical",
    ),
    *("casualtyLosses", "spouse", "specialSpouse", "dependants", "disability", "widow", "singleParent"),
    *("workingStudent", "total"),
)
_TAXES = (
    *("taxable", "municipalOnIncome", "municipalPerCapita", "prefecturalOnIncome", "prefecturalPerCapita"),
    *(
        "forestEnvironment",
        "adjustmentCredit",
        "dividendCredit",
        "housingCredit",
        "donationCredit",
        "foreignCredit",
        "total",
    ),
)
"""The lines of a city's income certificate."""


def write_certificates(folder: Path, *, count: int, size: int = SIZE) -> list[Path]:
    """Write `count` certificates of `size` bytes into a new folder, and return their files in order."""
    folder.mkdir(parents=True)
    files = []
    for number, content in enumerate(income_certificates(count, size)):
        files.append(folder / f"{number:07d}.json")
        files[-1].write_bytes(content)
    return files


def income_certificates(count: int, size: int) -> Iterator[bytes]:
    """Make certificates, no two alike; what is missing to `size` bytes is in their remarks. Raises InvalidInputError."""
    for number in range(count):
        content = _certificate(number, "")
        short = size - len(_written(content))
        if short < 0:
            raise InvalidInputError(f"documents: expected at least {size - short} bytes, found {size}")
        yield _written(_certificate(number, "." * short))


def _written(certificate: dict[str, Any]) -> bytes:
    return json.dumps(certificate, ensure_ascii=False, separators=(",", ":")).encode()


def _certificate(number: int, remarks: str) -> dict[str, Any]:
    """Return the content of an income certificate: made-up people, the fields that a city's form has."""
    salary = 3_000_000 + 1000 * number
    return {
        "id": f"income-2026-{number:08d}",
        "$template": {"name": "INCOME", "type": "EMBEDDED_RENDERER", "url": "https://renderer.example"},
        "issuers": [
            {
                "name": "飯塚市",
                "documentStore": "0x0000000000000000000000000000000000000001",
                "identityProof": {"type": "DNS-TXT", "location": "city.example"},
            }
        ],
        "recipient": {
            "name": f"見本 {number}",
            "kana": f"ミホン {number}",
            "born": "1980-01-01",
            "address": f"福岡県飯塚市見本町{number}番地",
            "since": "2010-04-01",
        },
        "certificate": {"title": "所得・課税証明書", "year": 2026, "incomeOf": 2025, "issued": "2026-06-15"},
        "income": dict.fromkeys(_INCOMES, 0) | {"salary": salary},
        "deductions": dict.fromkeys(_DEDUCTIONS, 0) | {"basic": 430_000, "socialInsurance": salary // 7},
        "tax": dict.fromkeys(_TAXES, 0) | {"municipalPerCapita": 3_000, "prefecturalPerCapita": 1_500},
        "family": {"spouse": True, "dependants": 1, "specific": 0, "elderly": 0, "minors": 1, "disabled": 0},
        "remarks": remarks,
    }
