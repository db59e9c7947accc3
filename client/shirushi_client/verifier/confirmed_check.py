"""The check `confirmed_by_members` of a receipt's own evidence: who signed the heads that it leads to, and is that enough."""

from __future__ import annotations

from shirushi_client.verifier.check_making import make_check
from shirushi_client.verifier.proved import HeadTrouble, JudgedBatch, JudgedHead
from shirushi_core.proofs.confirmation import Confirmation
from shirushi_core.proofs.report import Check, CheckName, Result
from shirushi_core.proofs.trust_policy import TrustPolicy

_NAME = CheckName.CONFIRMED_BY_MEMBERS


def confirmed_by_members(batch: JudgedBatch) -> Check:
    """Check that a quorum confirmed the head of the record and that of the status; never `fail`."""
    policy = batch.policy
    if batch.anchor.statement.ledger != policy.ledger:
        return make_check(_NAME, Result.NOT_RUN, "OTHER_LEDGER")
    heads = {id(each): each for each in (batch.log, batch.status) if each is not None}
    if not heads:
        return make_check(_NAME, Result.UNKNOWN, "NO_EVIDENCE", source="receipt")
    confirmations: list[Confirmation] = []
    for head in heads.values():
        if head.confirmation is None:
            return _troubled(head)
        confirmations.append(head.confirmation)
    for confirmation in confirmations:
        if confirmation.shows_slow_clock and not confirmation.is_enough:
            return make_check(
                _NAME,
                Result.UNKNOWN,
                "CLOCK_BEHIND",
                source="log",
                age_seconds=None,
                **_said(policy, confirmation),
            )
        if confirmation.quorum > len(policy.members):
            return make_check(_NAME, Result.UNKNOWN, "NO_RULE", source="configuration")
        if not confirmation.is_enough:
            return make_check(
                _NAME,
                Result.UNKNOWN,
                "TOO_FEW_SIGNED",
                source="log",
                age_seconds=None,
                **_said(policy, confirmation),
            )
    if batch.is_forked:
        return make_check(_NAME, Result.UNKNOWN, "FORKED", source="log")
    first, last = confirmations[0], confirmations[-1]
    if set(first.members) == set(last.members):
        return make_check(_NAME, Result.PASS, "SIGNED", source="log", age_seconds=None, **_said(policy, last))
    texts = _said(policy, first) | {f"status_{name}": text for name, text in _said(policy, last).items()}
    return make_check(_NAME, Result.PASS, "SIGNED_EACH", source="log", age_seconds=None, **texts)


def _troubled(head: JudgedHead) -> Check:
    trouble = head.trouble or HeadTrouble.SIGNATURE_BROKEN
    return make_check(_NAME, Result.UNKNOWN, trouble.value, source="receipt", reason=head.reason)


def _said(policy: TrustPolicy, confirmation: Confirmation) -> dict[str, str]:
    ignored, count = confirmation.not_counted, len(confirmation.times)
    when = max(confirmation.times.values(), default=policy.issued_at)
    return {
        "n": str(max(len(policy.members_at(when)), count)),
        "count": str(count),
        "quorum": str(confirmation.quorum),
        "ja": _names(policy, confirmation.members, "、", japanese=True) or "なし",
        "en": _names(policy, confirmation.members, ", ", japanese=False) or "none",
        "ignored_names_ja": _names(policy, tuple(ignored), "、", japanese=True),
        "ignored_names_en": _names(policy, tuple(ignored), ", ", japanese=False),
        "ignored_ja": f"数に含めない署名: {_names(policy, tuple(ignored), '、', japanese=True)}。"
        if ignored
        else "",
        "ignored_en": "".join(f" Not counted: {each}, for {why}." for each, why in ignored.items()),
    }


def _names(policy: TrustPolicy, members: tuple[str, ...], between: str, *, japanese: bool) -> str:
    return between.join(
        member.name_ja if japanese else member.name_en for member in policy.members if member.id in members
    )
