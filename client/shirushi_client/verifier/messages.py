"""Every code a check can give, with its sentence in Japanese and English. Codes are stable; sentences may be improved."""

from __future__ import annotations

from types import MappingProxyType

SENTENCES = MappingProxyType(
    {
        "FILE_INTACT_PROVED": (
            "ファイルは発行された証明書と1ビットも違いません。",
            "The file is, bit for bit, the certificate that was issued.",
        ),
        "FILE_INTACT_DIGEST_DIFFERS": (
            "ファイルはこの受領証の証明書ではありません。内容が変えられたか、別の証明書の受領証です。",
            "The file is not the certificate of this receipt: it was changed, or the receipt is of another file.",
        ),
        "FILE_INTACT_PATH_BROKEN": (
            "受領証の証明経路が台帳の記録につながりません。受領証が変えられています。",
            "The receipt's proof does not lead to the batch it names: the receipt was changed.",
        ),
        "SEALED_BY_ISSUER_HOLDS": (
            "{ja}のeシールが付されています。",
            "It is sealed by {en}.",
        ),
        "SEALED_BY_ISSUER_BROKEN": (
            "eシールの署名が正しくありません。",
            "The seal's signature does not hold.",
        ),
        "SEALED_BY_ISSUER_KEY_UNKNOWN": (
            "eシールの鍵は、発行者{issuer}の鍵として登録されていません。",
            "The seal was made with a key that is not registered for issuer {issuer}.",
        ),
        "SEALED_BY_ISSUER_KEY_OUT_OF_WINDOW": (
            "eシールの鍵は、台帳に記録された時点（{at}）では有効期間外でした。",
            "The seal's key was outside its validity when the certificate was anchored ({at}).",
        ),
        "SEALED_BY_ISSUER_NOT_REGISTERED": (
            "発行者{issuer}は登録されていません。",
            "Issuer {issuer} is not registered.",
        ),
        "SEALED_BY_ISSUER_SETTLING": (
            "記録されたばかりで、発行者の登録がまだ全参加機関に届いていません。少し待って再度お試しください。",
            "It was anchored only just now and the members do not all have the issuer's key yet: try again in a moment.",
        ),
        "SEALED_BY_ISSUER_NOT_LEARNED": (
            "発行者の鍵を十分な数の参加機関から確認できませんでした。",
            "The issuer's keys could not be learned from enough members.",
        ),
        "RECORDED_ON_LEDGER_AGREED": (
            "台帳{ledger}に{at}に記録されています。",
            "It was recorded on ledger {ledger} at {at}.",
        ),
        "RECORDED_ON_LEDGER_DIFFERS": (
            "台帳の記録が受領証の内容と異なります。",
            "The ledger's record is not the one in the receipt.",
        ),
        "RECORDED_ON_LEDGER_ABSENT": (
            "台帳{ledger}に記録がありません。",
            "There is no record of it on ledger {ledger}.",
        ),
        "RECORDED_ON_LEDGER_SETTLING": (
            "記録されたばかりで、まだ全参加機関に届いていません。少し待って再度お試しください。",
            "It was anchored only just now and has not reached the members yet: try again in a moment.",
        ),
        "RECORDED_ON_LEDGER_NOT_LEARNED": (
            "台帳の記録を十分な数の参加機関から確認できませんでした。",
            "The ledger's record could not be learned from enough members.",
        ),
        "RECORDED_ON_LEDGER_OTHER_LEDGER": (
            "受領証は台帳{ledger}のもので、この検証者が知る台帳は{known}です。",
            "The receipt is of ledger {ledger}; this verifier knows ledger {known} only.",
        ),
        "CONFIRMED_BY_MEMBERS_QUORUM": (
            "{n}機関中{count}機関の回答が一致しました（必要数{quorum}）。",
            "{count} of {n} members gave the same answers ({quorum} are needed).",
        ),
        "CONFIRMED_BY_MEMBERS_ABSENCE": (
            "{n}機関中{count}機関が「記録はない」と一致して回答しました（必要数{quorum}）。",
            "{count} of {n} members agree that they have no record of it ({quorum} are needed).",
        ),
        "CONFIRMED_BY_MEMBERS_TOO_FEW": (
            "{n}機関中{count}機関しか回答しませんでした（必要数{quorum}）。",
            "Only {count} of {n} members answered ({quorum} are needed).",
        ),
        "CONFIRMED_BY_MEMBERS_DISAGREE": (
            "参加機関の回答が食い違い、必要数（{quorum}）の一致が得られませんでした。",
            "The members' answers differ, and no answer has the {quorum} that are needed.",
        ),
        "CONFIRMED_BY_MEMBERS_OTHER_LEDGER": (
            "別の台帳の受領証のため、参加機関には照会していません。",
            "No member was asked, for the receipt is of another ledger.",
        ),
        "STATUS_VALID": (
            "失効・停止の記録はありません。",
            "It is neither revoked nor suspended.",
        ),
        "STATUS_REINSTATED": (
            "一時停止は{effective}に解除されています（理由: {reason_ja}）。",
            "It was suspended and reinstated at {effective} (reason: {reason}).",
        ),
        "STATUS_REVOKED": (
            "{effective}に失効しています（理由: {reason_ja}）。",
            "It was revoked with effect from {effective} (reason: {reason}).",
        ),
        "STATUS_SUSPENDED": (
            "{effective}から一時停止中です（理由: {reason_ja}）。",
            "It is suspended since {effective} (reason: {reason}).",
        ),
        "STATUS_SUPERSEDED": (
            "{effective}に別の証明書に差し替えられています（理由: {reason_ja}）。新しい証明書をお求めください。",
            "It was superseded by another certificate at {effective} (reason: {reason}): ask for the new one.",
        ),
        "STATUS_BATCH_REVOKED": (
            "同時に発行された証明書がすべて{effective}に失効しています（理由: {reason_ja}）。",
            "The whole batch it was issued in was revoked with effect from {effective} (reason: {reason}).",
        ),
        "STATUS_BATCH_SUSPENDED": (
            "同時に発行された証明書がすべて{effective}から一時停止中です（理由: {reason_ja}）。",
            "The whole batch it was issued in is suspended since {effective} (reason: {reason}).",
        ),
        "STATUS_BATCH_SUPERSEDED": (
            "同時に発行された証明書がすべて{effective}に差し替えられています（理由: {reason_ja}）。",
            "The whole batch it was issued in was superseded at {effective} (reason: {reason}).",
        ),
        "STATUS_NOTHING_RECORDED": (
            "台帳に記録がないため、有効状態もありません。",
            "There is no record on the ledger that could have a status.",
        ),
        "STATUS_NOT_LEARNED": (
            "有効状態を十分な数の参加機関から確認できませんでした。",
            "The status could not be learned from enough members.",
        ),
        "WITHIN_VALIDITY_HOLDS": (
            "有効期間内です（{start}から{end}）。",
            "It is within its validity ({start} to {end}).",
        ),
        "WITHIN_VALIDITY_OPEN_ENDED": (
            "有効期間内です（{start}から、期限なし）。",
            "It is within its validity ({start}, without an end).",
        ),
        "WITHIN_VALIDITY_NOT_YET": (
            "有効期間はまだ始まっていません（{start}から）。",
            "Its validity has not begun (it begins {start}).",
        ),
        "WITHIN_VALIDITY_EXPIRED": (
            "有効期間を過ぎています（{end}まで）。",
            "It has expired (it was valid until {end}).",
        ),
        "STATUS_FRESH_ENOUGH_ONLINE": (
            "有効状態は今、参加機関に照会したものです。",
            "The status was asked for just now.",
        ),
        "STATUS_FRESH_ENOUGH_NOT_LEARNED": (
            "有効状態を確認できなかったため、新しさも判断していません。",
            "There is no status whose age could be judged.",
        ),
        "TRUST_POLICY_CURRENT_NOT_CHECKED": (
            "この版では、参加機関の一覧が最新かどうかは確認していません。",
            "This version does not check whether the list of members is the current one.",
        ),
        "IS_TEST_REAL": (
            "本番の台帳です。",
            "The ledger is a real one, not a test.",
        ),
        "IS_TEST_EXPECTED": (
            "これは試験用の台帳の証明書です。本物の証明書ではありません。",
            "TEST: this certificate is of a test ledger and is no real certificate.",
        ),
        "IS_TEST_UNEXPECTED": (
            "試験用の台帳{ledger}の証明書です。本物の証明書ではありません。",
            "The certificate is of the test ledger {ledger} and is no real certificate.",
        ),
    }
)

REASONS_JA = MappingProxyType(
    {
        "issued_in_error": "誤発行",
        "data_corrected": "記載内容の訂正",
        "holder_request": "本人の申し出",
        "replaced": "差し替え",
        "key_compromise": "鍵の危殆化",
        "under_investigation": "調査中",
        "investigation_closed": "調査終了",
        "other": "その他",
    }
)
