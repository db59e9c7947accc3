"""Verifying many certificates: in several processes, one short outcome for each.

Only what needs no network is done here; an outcome says where more has to be asked.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import orjson

from shirushi_client.verifier.offline_verifier import OfflineVerifier
from shirushi_client.verifier.report import PolicyView, Report
from shirushi_client.verifier.verification import Certificate
from shirushi_client.verifier.verification_plan import Plan, wants_ledger, wants_refresh
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.policy_update import SignedPolicy
from shirushi_core.proofs.report import Result, Verdict

CHUNK = 256
"""Certificates that a process is given at a time."""

WORTH_PROCESSES = 1024
"""Certificates from which on several processes are faster than one."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate's file, its receipt's, None if there is none, and what reports call it."""

    file: Path
    receipt: Path | None
    name: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one certificate, short: `verdict` None where it could not be read, `en` and `ja` say why not.

    `codes` are those of the checks that failed or are unknown, the sentences theirs; `document` is the report in JSON, if that was
    asked for. `unsettled`: witnesses or the ledger have more to say.
    """

    name: str
    verdict: Verdict | None
    test: bool = False
    codes: tuple[str, ...] = ()
    ja: str = ""
    en: str = ""
    issuer: str = ""
    document_type: str = ""
    anchored_at: int | None = None
    valid_until: int | None = None
    status: str = ""
    status_as_of: int | None = None
    mode: str = ""
    ledger: str = ""
    policy: PolicyView | None = None
    document: bytes | None = None
    unsettled: bool = False


@dataclass(frozen=True, slots=True)
class Bulk:
    """What the processes need to know. `documents`: whether reports in JSON are wanted; `source`: where the policy came from."""

    policy: bytes
    plan: Plan
    documents: bool
    source: str | None = None


def verify_pairs(pairs: Sequence[Pair], bulk: Bulk, jobs: int) -> Iterator[list[Outcome]]:
    """Yield the outcomes of files judged by what their receipts carry, in their order, some at a time."""
    chunks = [pairs[start : start + CHUNK] for start in range(0, len(pairs), CHUNK)]
    if jobs <= 1 or len(pairs) < WORTH_PROCESSES:
        verifier = _verifier(bulk)
        for chunk in chunks:
            yield [_verify(verifier, pair, bulk) for pair in chunk]
        return
    # Not by forking: threads of gRPC, where it is loaded, do not survive that.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(bulk,)) as pool:
        yield from pool.map(_verify_chunk, chunks)


def outcome_of(report: Report, *, documents: bool, unsettled: bool = False) -> Outcome:
    """Return a report's outcome."""
    wrong = [check for check in report.checks if check.result in (Result.FAIL, Result.UNKNOWN)]
    wrong.sort(key=lambda check: check.result is not Result.FAIL)
    anchor = report.receipt.anchor
    return Outcome(
        name=report.file,
        verdict=report.verdict,
        test=report.test,
        codes=tuple(check.code for check in wrong),
        ja="".join(check.ja for check in wrong),
        en=" ".join(check.en for check in wrong),
        issuer=anchor.statement.issuer,
        document_type=anchor.statement.document_type,
        anchored_at=anchor.anchored_at,
        valid_until=anchor.statement.valid_until,
        status="" if report.status is None else report.status.status.value,
        status_as_of=report.good_as_of,
        mode=report.evidence.mode.value,
        ledger=anchor.statement.ledger,
        policy=report.evidence.policy,
        document=orjson.dumps(report.to_json(), option=orjson.OPT_SORT_KEYS) if documents else None,
        unsettled=unsettled,
    )


def read_pair(pair: Pair) -> Certificate | Outcome:
    """Return a certificate, or the outcome of one that cannot be read or has no receipt."""
    if pair.receipt is None:
        return Outcome(pair.name, None, en="there is no receipt beside it", ja="受領証がありません")
    try:
        return Certificate.read(pair.file, pair.receipt, pair.name)
    except ShirushiError as error:
        return Outcome(pair.name, None, en=str(error), ja=str(error))


def _verifier(bulk: Bulk) -> OfflineVerifier:
    return OfflineVerifier(SignedPolicy.from_bytes(bulk.policy).policy, source=bulk.source)


def _verify(verifier: OfflineVerifier, pair: Pair, bulk: Bulk) -> Outcome:
    certificate = read_pair(pair)
    if isinstance(certificate, Outcome):
        return certificate
    report = verifier.verify_digest(certificate.digest, certificate.receipt, bulk.plan.demand, name=pair.name)
    unsettled = wants_refresh(bulk.plan, report) or wants_ledger(bulk.plan, report)
    return outcome_of(report, documents=bulk.documents, unsettled=unsettled)


_process: tuple[OfflineVerifier, Bulk] | None = None


def _begin(bulk: Bulk) -> None:
    global _process
    _process = (_verifier(bulk), bulk)


def _verify_chunk(pairs: Sequence[Pair]) -> list[Outcome]:
    if _process is None:
        raise RuntimeError("a process of the pool was not given what it needs")
    verifier, bulk = _process
    return [_verify(verifier, pair, bulk) for pair in pairs]
