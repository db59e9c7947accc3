"""The document types that the tests' issuers may issue: an issuer's record lists them, so every test's type stands here."""

from __future__ import annotations

METHODS = ("commitstatus", "endorse", "submit")

DOCUMENT_TYPES = tuple(
    sorted(
        {
            *("income", "income-certificate", "residence", "residence-certificate", "tax-certificate"),
            *("another-block", "audited", "bad-input", "bad-key", "bad-members", "bulk"),
            *("issuer-killed", "killed-under-load", "lost-revocation", "private"),
            *("two-issuers", "witnessed", "wrong-key", "wrong-seal"),
            *(f"fault-{number}" for number in range(12)),
            *(f"killed-at-{method}" for method in METHODS),
            *(f"lost-by-{who}-{method}" for who in ("all", "one") for method in METHODS),
        }
    )
)
