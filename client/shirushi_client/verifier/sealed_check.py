"""The check `sealed_by_issuer` of a receipt's own evidence: the seal, the registry entry that members approved, the certificate."""

from __future__ import annotations

from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm

from shirushi_client.verifier.check_making import make_check, time_text
from shirushi_client.verifier.proved import JudgedBatch, Proof
from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.issuer import IssuerKey, IssuerRecord, KeyUse
from shirushi_core.proofs.report import Check, CheckName, Result
from shirushi_core.proofs.seal import SealError, verify_seal
from shirushi_core.proofs.seal_certificate import (
    SealCertificateError,
    seal_key_id,
    seal_public_key,
    verify_seal_chain,
)
from shirushi_core.proofs.trust_policy import PolicyIssuer, SealChain
from shirushi_core.proofs.unjudged import Mark

_NAME = CheckName.SEALED_BY_ISSUER


def sealed_by_issuer(batch: JudgedBatch) -> Check:
    """Judge the seal at the time it was anchored: by the issuer's records in the log, and by the policy's certificates.

    Two records count: the one that the anchor names, and the newest, in which the members may have ended a key's window, also
    backwards. Where the first is left out, as in compact receipts, the newest decides alone. Where the policy names no
    certificates for the issuer, the records do.
    """
    anchor, record = batch.anchor, _named_record(batch)
    known = batch.policy.issuer(anchor.statement.issuer)
    chains = () if known is None else tuple(each for each in known.seals if _is_of(each, anchor))
    key = None if record is None else _seal_key(record, anchor)
    public_key = (
        key.public_key if key is not None else seal_public_key(chains[0].chain[0]) if chains else None
    )
    if public_key is not None and not _holds(anchor, public_key):
        # Whatever else is proved or not: the key is the one that the seal names by its hash.
        return make_check(_NAME, Result.FAIL, "BROKEN", source="receipt")
    if batch.registered is Proof.BROKEN:
        return make_check(_NAME, Result.UNKNOWN, "PROOF_BROKEN", source="receipt")
    if not batch.is_recorded:
        # The time that windows are judged at is not proved, nor is the record.
        return make_check(_NAME, Result.UNKNOWN, "NOT_PROVED", source="receipt")
    if record is not None:
        at = time_text(anchor.anchored_at)
        if key is None:
            return make_check(_NAME, Result.FAIL, "KEY_UNKNOWN", source="log", issuer=record.id)
        if record.key_at(KeyUse.SEAL, key.key_id, anchor.anchored_at) is None:
            return make_check(_NAME, Result.FAIL, "KEY_OUT_OF_WINDOW", source="log", at=at)
        if record.sequence == anchor.issuer_sequence and not record.may_issue(anchor.statement.document_type):
            texts = {"issuer": record.id, "type": anchor.statement.document_type}
            return make_check(_NAME, Result.FAIL, "TYPE_NOT_ALLOWED", source="log", age_seconds=None, **texts)
    return _now_ended(batch) or _certified(batch, record, known, chains)


def _named_record(batch: JudgedBatch) -> IssuerRecord | None:
    """Return the record that the anchor names, or the newest, which keeps all keys, where a receipt leaves that one out."""
    if batch.record is not None:
        return batch.record
    return batch.newest if isinstance(batch.newest, IssuerRecord) and batch.status_as_of is not None else None


def _now_ended(batch: JudgedBatch) -> Check | None:
    """Return the check of a seal whose key counts no more for that time by the issuer's newest record, None if it does."""
    anchor, newest = batch.anchor, batch.newest
    if not batch.is_standing_needed:
        return None
    if batch.standing is not Proof.HOLDS or newest is None or batch.status_as_of is None:
        return make_check(_NAME, Result.UNKNOWN, "STANDING_NOT_PROVED", source="receipt")
    if isinstance(newest, Mark):
        return make_check(_NAME, Result.UNKNOWN, "UNJUDGED", source="log", issuer=anchor.statement.issuer)
    if newest.sequence < anchor.issuer_sequence:
        return make_check(_NAME, Result.UNKNOWN, "STANDING_OLDER", source="receipt")
    if newest.key_at(KeyUse.SEAL, anchor.seal.key_id, anchor.anchored_at) is None:
        at = time_text(anchor.anchored_at)
        return make_check(_NAME, Result.FAIL, "KEY_ENDED", source="log", at=at)
    return None


def _certified(
    batch: JudgedBatch,
    record: IssuerRecord | None,
    known: PolicyIssuer | None,
    chains: tuple[SealChain, ...],
) -> Check:
    anchor = batch.anchor
    issuer = anchor.statement.issuer
    if known is None or not known.seals:
        if record is None:
            return make_check(_NAME, Result.UNKNOWN, "NO_RECORD", source="receipt", issuer=issuer)
        return make_check(
            _NAME, Result.PASS, "REGISTERED", source="log", ja=record.name_ja, en=record.name_en
        )
    if not chains:
        if batch.policy.issued_at < anchor.anchored_at:
            return make_check(
                _NAME, Result.UNKNOWN, "CERTIFICATE_NOT_KNOWN", source="configuration", issuer=issuer
            )
        return make_check(_NAME, Result.UNKNOWN, "NOT_CERTIFIED", source="configuration", issuer=issuer)
    if not any(each.window.holds(anchor.anchored_at) for each in chains):
        # The members said so together, as they do of a key that was stolen.
        at = time_text(anchor.anchored_at)
        return make_check(_NAME, Result.FAIL, "CERTIFICATE_ENDED", source="configuration", at=at)
    reason = ""
    for each in chains:
        reason = _weakness(each, anchor.anchored_at)
        if not reason:
            code = "CERTIFIED" if record is not None else "CERTIFIED_ONLY"
            ja, en = (known.name_ja, known.name_en) if record is None else (record.name_ja, record.name_en)
            return make_check(_NAME, Result.PASS, code, source="log", ja=ja, en=en)
    at = time_text(anchor.anchored_at)
    return make_check(
        _NAME, Result.UNKNOWN, "CERTIFICATE_NOT_GOOD", source="configuration", at=at, reason=reason
    )


def _weakness(seal: SealChain, at: int) -> str:
    """Say why a certificate does not stand for its key at a time; empty if it does."""
    if not seal.window.holds(at):
        return "the trust policy lets it count at other times only"
    try:
        verify_seal_chain(seal.chain, at)
    except SealCertificateError as error:
        return str(error)
    return ""


def _is_of(seal: SealChain, anchor: IssuanceAnchor) -> bool:
    try:
        return seal_key_id(seal.chain[0]) == anchor.seal.key_id
    except (InvalidInputError, UnsupportedAlgorithm, ValueError):
        return False


def _seal_key(record: IssuerRecord, anchor: IssuanceAnchor) -> IssuerKey | None:
    named = (KeyUse.SEAL, anchor.seal.key_id)
    return next((key for key in record.keys if (key.use, key.key_id) == named), None)


@lru_cache(maxsize=1024)
def _holds(anchor: IssuanceAnchor, public_key: bytes) -> bool:
    try:
        verify_seal(anchor.statement, anchor.seal, public_key)
    except SealError:
        return False
    return True
