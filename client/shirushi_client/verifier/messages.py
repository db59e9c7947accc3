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
            "受領証がつながりません（コンパクト形式では、ファイルとつながりません）。途中で壊れたようです。受領証とファイルをもう一度お求めください。",
            "The receipt does not fit together (a compact one: with this file): something was damaged on the way. Ask for both again.",
        ),
        "FILE_INTACT_NOTHING_PROVED": (
            "ファイルはこの受領証のものではありませんが、受領証も台帳につながらないため、判断できません。受領証をもう一度お求めください。",
            "The file is not the one of this receipt, and the receipt itself proves nothing: ask for the receipt again.",
        ),
        "FILE_INTACT_SIZE_DIFFERS": (
            "受領証にあるファイルの大きさが違います。受領証が途中で壊れたようです。受領証をもう一度お求めください。",
            "The size in the receipt is not the file's, whose content is right: the receipt was damaged. Ask for it again.",
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
            "参加機関は、発行者{issuer}のこの鍵の登録をまだ知りません。少し待って再度お試しください。",
            "The members do not know this key of issuer {issuer} yet: try again in a moment.",
        ),
        "SEALED_BY_ISSUER_NOT_LEARNED": (
            "発行者の鍵を十分な数の参加機関から確認できませんでした。",
            "The issuer's keys could not be learned from enough members.",
        ),
        "SEALED_BY_ISSUER_CERTIFIED": (
            "{ja}のeシールが付されています。鍵は参加機関に登録され、証明書も有効でした。",
            "It is sealed by {en}, with a key that the members registered and whose certificate was good.",
        ),
        "SEALED_BY_ISSUER_REGISTERED": (
            "{ja}のeシールが付されています。鍵は参加機関に登録されています（信頼ポリシーに、この発行者の証明書の指定はありません）。",
            "It is sealed by {en}, with a key that the members registered; the trust policy names no certificate for it.",
        ),
        "SEALED_BY_ISSUER_CERTIFIED_ONLY": (
            "{ja}のeシールが付されています。証明書は有効でした（受領証に、参加機関の登録簿の記録は含まれていません）。",
            "It is sealed by {en}, with a key whose certificate was good; the receipt does not carry the members' register.",
        ),
        "SEALED_BY_ISSUER_CERTIFICATE_NOT_GOOD": (
            "eシールの証明書は、台帳に記録された時点（{at}）では有効ではありませんでした（{reason}）。",
            "The certificate of the seal's key was not good when the seal was anchored ({at}): {reason}.",
        ),
        "SEALED_BY_ISSUER_NOT_CERTIFIED": (
            "信頼ポリシーは、このeシールの鍵を発行者{issuer}のものとして認めていません。",
            "The trust policy names certificates for issuer {issuer}, and none is of the seal's key.",
        ),
        "SEALED_BY_ISSUER_CERTIFICATE_NOT_KNOWN": (
            "eシールの鍵は、お手元の信頼ポリシーより後に発行者{issuer}が使い始めたものです。新しい信頼ポリシーが必要です。",
            "The trust policy is older than the seal and names no certificate of its key for issuer {issuer}: get a newer policy.",
        ),
        "SEALED_BY_ISSUER_NO_RECORD": (
            "受領証にも信頼ポリシーにも、発行者{issuer}の鍵の登録がありません。",
            "Neither the receipt nor the trust policy says which keys issuer {issuer} has.",
        ),
        "SEALED_BY_ISSUER_PROOF_BROKEN": (
            "受領証にある発行者の登録の証明が、正しくつながりません。",
            "The receipt's proof of the issuer's registration does not hold.",
        ),
        "SEALED_BY_ISSUER_KEY_ENDED": (
            "eシールの鍵は、台帳に記録された時点（{at}）より前に、参加機関によって効力を失わされています。",
            "The members have ended the seal's key from before the certificate was anchored ({at}).",
        ),
        "SEALED_BY_ISSUER_CERTIFICATE_ENDED": (
            "信頼ポリシーは、台帳に記録された時点（{at}）ではこのeシールの証明書を認めていません。",
            "The trust policy lets the certificate of the seal's key count at other times than {at} only.",
        ),
        "SEALED_BY_ISSUER_STANDING_NOT_PROVED": (
            "受領証に、発行者の登録の現況の証明が含まれていません。最新の証明をお求めください。",
            "The receipt does not prove how its issuer stands now: refresh it.",
        ),
        "SEALED_BY_ISSUER_STANDING_OLDER": (
            "発行者の登録の現況の証明が、台帳の記録より古いものです。最新の証明をお求めください。",
            "The proof of how its issuer stands is older than the record: refresh it.",
        ),
        "SEALED_BY_ISSUER_UNJUDGED": (
            "台帳にある発行者{issuer}の登録が読み取れない形になっています。参加機関が直すまで判断できません。",
            "What the ledger has of issuer {issuer} cannot be read: nobody can tell until the members have settled it.",
        ),
        "SEALED_BY_ISSUER_TYPE_NOT_ALLOWED": (
            "発行者{issuer}は、種類{type}の証明書を発行できません。",
            "Issuer {issuer} may not issue documents of the type {type}.",
        ),
        "SEALED_BY_ISSUER_OTHER_ISSUER": (
            "発行者は{issuer}で、お尋ねの{demanded}ではありません。",
            "Its issuer is {issuer}, not {demanded} as demanded.",
        ),
        "SEALED_BY_ISSUER_OTHER_TYPE": (
            "証明書の種類は{type}で、お尋ねの{demanded}ではありません。",
            "It is of the type {type}, not {demanded} as demanded.",
        ),
        "SEALED_BY_ISSUER_NOT_PROVED": (
            "台帳に記録された日時が確認できないため、eシールの鍵の有効期間を判断できません。",
            "Without a confirmed record there is no telling whether the seal's key counted at the time.",
        ),
        "RECORDED_ON_LEDGER_NOT_BOUND": (
            "受領証が台帳の記録につながらないため、記録を判断できません。受領証をもう一度お求めください。",
            "The receipt does not lead to a record on the ledger: ask for the receipt again.",
        ),
        "RECORDED_ON_LEDGER_AGREED": (
            "台帳{ledger}に{at}に記録されています。",
            "It was recorded on ledger {ledger} at {at}.",
        ),
        "RECORDED_ON_LEDGER_DIFFERS": (
            "台帳の記録が受領証の内容と異なります。受領証が途中で壊れたようです。受領証をもう一度お求めください。",
            "The ledger's record is not the one in the receipt: the receipt was damaged. Ask for it again.",
        ),
        "RECORDED_ON_LEDGER_ABSENT": (
            "台帳{ledger}にまだ記録が見つかりません。少し待って再度お試しいただくか、受領証をもう一度お求めください。",
            "The members know no record of it on ledger {ledger}: try again in a moment, or ask for the receipt again.",
        ),
        "RECORDED_ON_LEDGER_NOT_LEARNED": (
            "台帳の記録を十分な数の参加機関から確認できませんでした。",
            "The ledger's record could not be learned from enough members.",
        ),
        "RECORDED_ON_LEDGER_OTHER_LEDGER": (
            "受領証は台帳{ledger}のもので、この検証者が知る台帳は{known}です。",
            "The receipt is of ledger {ledger}; this verifier knows ledger {known} only.",
        ),
        "RECORDED_ON_LEDGER_LOGGED": (
            "台帳{ledger}に{at}に記録されています。",
            "It was recorded on ledger {ledger} at {at}.",
        ),
        "RECORDED_ON_LEDGER_AFTER_DATE": (
            "台帳に記録されたのは{at}で、お尋ねの日時（{asked}）にはまだ発行されていませんでした。",
            "It was recorded only at {at}; at {asked} it had not been issued.",
        ),
        "RECORDED_ON_LEDGER_NOT_PROVED": (
            "受領証に、台帳の記録の証明がまだ含まれていません。",
            "The receipt does not carry a proof of the ledger's record yet.",
        ),
        "RECORDED_ON_LEDGER_PROOF_BROKEN": (
            "受領証にある台帳の記録の証明が、正しくつながりません。",
            "The receipt's proof of the ledger's record does not hold.",
        ),
        "RECORDED_ON_LEDGER_NOT_CONFIRMED": (
            "台帳の記録を確認した参加機関が足りません。",
            "The proof leads to a state of the ledger that too few members confirmed.",
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
        "CONFIRMED_BY_MEMBERS_SIGNED": (
            "{n}機関中{count}機関の署名で確認されています（必要数{quorum}）: {ja}。{ignored_ja}",
            "{count} of {n} members confirm it by their signatures ({quorum} are needed): {en}.{ignored_en}",
        ),
        "CONFIRMED_BY_MEMBERS_SIGNED_EACH": (
            "記録は{n}機関中{count}機関（{ja}）、有効状態は{status_n}機関中{status_count}機関（{status_ja}）の署名で確認されています（必要数{quorum}、{status_quorum}）。{ignored_ja}{status_ignored_ja}",
            "{count} of {n} members confirm the record ({en}), {status_count} of {status_n} the status ({status_en}), by their signatures; {quorum} and {status_quorum} are needed.{ignored_en}{status_ignored_en}",
        ),
        "CONFIRMED_BY_MEMBERS_TOO_FEW_SIGNED": (
            "署名で確認した参加機関は{n}機関中{count}機関で、足りません（必要数{quorum}）: {ja}。{ignored_ja}",
            "Only {count} of {n} members confirm it by their signatures ({quorum} are needed): {en}.{ignored_en}",
        ),
        "CONFIRMED_BY_MEMBERS_NO_EVIDENCE": (
            "受領証に、参加機関の署名がまだ含まれていません。",
            "The receipt does not carry members' signatures yet.",
        ),
        "CONFIRMED_BY_MEMBERS_OTHER_LOG": (
            "受領証の署名は、別の台帳に対するものです。",
            "The receipt's signatures are over another ledger's log.",
        ),
        "CONFIRMED_BY_MEMBERS_KEY_UNKNOWN": (
            "お手元の信頼ポリシーにない鍵の署名が含まれています。新しい信頼ポリシーが必要か、受領証が変えられています。",
            "A signature is of a key that the trust policy does not have: get a newer policy, or the receipt was changed.",
        ),
        "CONFIRMED_BY_MEMBERS_SIGNATURE_BROKEN": (
            "受領証にある参加機関の署名が正しくありません（{reason}）。",
            "A member's signature in the receipt does not hold: {reason}.",
        ),
        "CONFIRMED_BY_MEMBERS_FORKED": (
            "参加機関が、同じ大きさの異なる二つの台帳に署名しています。参加機関へご連絡ください。",
            "Members signed two different logs of the same size: tell the consortium, and keep the receipt.",
        ),
        "CONFIRMED_BY_MEMBERS_CLOCK_BEHIND": (
            "このコンピューターの時計が遅れています。参加機関（{ignored_names_ja}）の署名は、この時計ではまだ来ていない時刻のものです。時計を合わせてから、もう一度お試しください。",
            "This computer's clock is behind: members ({ignored_names_en}) signed at times that it has yet to reach. Set the clock and try again.",
        ),
        "CONFIRMED_BY_MEMBERS_NO_RULE": (
            "署名された時刻について、お手元の信頼ポリシーに必要数の定めがありません。新しい信頼ポリシーが必要です。",
            "The trust policy has no rule for the time of the signatures: get a newer policy.",
        ),
        "CONFIRMED_BY_MEMBERS_OLD_ANSWERS": (
            "{n}機関中{count}機関しか、最近の台帳に基づいて回答しませんでした（必要数{quorum}）。",
            "Only {count} of {n} members answered from a ledger of the last fifteen minutes ({quorum} are needed).",
        ),
        "STATUS_NOT_BOUND": (
            "受領証が台帳の記録につながらないため、有効状態を判断できません。受領証をもう一度お求めください。",
            "The receipt does not lead to a record on the ledger, so there is no telling whose status this is: ask for the receipt again.",
        ),
        "STATUS_UNJUDGED": (
            "台帳にある有効状態が読み取れない形になっています。参加機関が直すまで判断できません。",
            "What the ledger has of its status cannot be read: nobody can tell until the members have settled it.",
        ),
        "STATUS_SUSPENDED_THEN": (
            "{as_of}の時点では一時停止中でしたが、その後はわかりません。接続できるときに、もう一度お確かめください。",
            "It was suspended as of {as_of}, which may have ended since: ask again with a connection.",
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
        "STATUS_DATE_VALID": (
            "{asked}の時点で、失効・停止の記録はありません。",
            "At {asked} it was neither revoked nor suspended.",
        ),
        "STATUS_DATE_NOT_COVERED": (
            "有効状態の証明は{as_of}時点のもので、{asked}の状態はわかりません。",
            "The proof of its status is as of {as_of} and does not reach to {asked}.",
        ),
        "STATUS_DATE_NEEDS_HISTORY": (
            "{asked}より後に状態が変わっており、その時点の状態は台帳の履歴でしかわかりません。",
            "Its status changed after {asked}; what it was then, only the ledger's history says.",
        ),
        "STATUS_NOT_PROVED": (
            "受領証に、有効状態の証明がまだ含まれていません。",
            "The receipt does not carry a proof of its status yet.",
        ),
        "STATUS_PROOF_BROKEN": (
            "受領証にある有効状態の証明が、正しくつながりません。",
            "The receipt's proof of its status does not hold.",
        ),
        "STATUS_NOT_CONFIRMED": (
            "有効状態を確認した参加機関が足りません。",
            "The proof of its status leads to a state of the ledger that is not confirmed.",
        ),
        "STATUS_BEFORE_RECORD": (
            "有効状態の証明が、台帳の記録の証明より古いものです。",
            "The proof of its status is older than the proof of its record.",
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
        "WITHIN_VALIDITY_NOT_PROVED": (
            "有効期間が台帳の記録で確認できません。受領証をもう一度お求めください。",
            "Its validity is not proved by a record on the ledger: ask for the receipt again.",
        ),
        "WITHIN_VALIDITY_CLOCK_BEHIND": (
            "有効期間は{start}からですが、このコンピューターの時計が遅れているため判断できません。",
            "Its validity begins {start}, and this computer's clock is behind: set the clock and try again.",
        ),
        "WITHIN_VALIDITY_CLOCK_AHEAD": (
            "有効期間は{end}までですが、このコンピューターの時計が進んでいるようで、判断できません。",
            "It was valid until {end}, and this computer's clock seems to be ahead of the members': set the clock and try again.",
        ),
        "STATUS_FRESH_ENOUGH_LAXER": (
            "有効状態は{as_of}時点（{old_ja}前）のもので、参加機関が定めた古さ（{limit_ja}）を超えていますが、ご指定により許容しました。",
            "The status is as of {as_of}, {old} ago: older than the {limit} that the members allow, and accepted because you asked for it.",
        ),
        "STATUS_FRESH_ENOUGH_ONLINE": (
            "有効状態は今、参加機関に照会したものです。",
            "The status was asked for just now.",
        ),
        "STATUS_FRESH_ENOUGH_NOT_LEARNED": (
            "有効状態を確認できなかったため、新しさも判断していません。",
            "There is no status whose age could be judged.",
        ),
        "STATUS_FRESH_ENOUGH_AS_OF": (
            "有効状態は{as_of}時点（{old_ja}前）のものです。",
            "The status is as of {as_of}, {old} ago.",
        ),
        "STATUS_FRESH_ENOUGH_TOO_OLD": (
            "有効状態は{as_of}時点（{old_ja}前）のもので、許容される古さ（{limit_ja}）を超えています。接続できるときに、もう一度お確かめください。",
            "The status is good as of {as_of}, {old} ago, and older than the {limit} that are allowed: ask again with a connection.",
        ),
        "STATUS_FRESH_ENOUGH_NOT_REFRESHED": (
            "参加機関に最新の有効状態を照会できませんでした。有効状態は{as_of}時点（{old_ja}前）のものです。",
            "The newest status could not be had from the members; this one is as of {as_of}, {old} ago.",
        ),
        "STATUS_FRESH_ENOUGH_REFRESH_FAILED": (
            "最新の有効状態が必要ですが、参加機関に照会できませんでした（お手元のものは{as_of}時点、{old_ja}前）。",
            "The newest status was asked for and could not be had from the members; this one is as of {as_of}, {old} ago.",
        ),
        "TRUST_POLICY_CURRENT_NOT_CHECKED": (
            "参加機関に直接照会したため、参加機関の一覧が最新かどうかは確認していません。",
            "Members were asked themselves; whether the list of members is the current one was not checked.",
        ),
        "TRUST_POLICY_CURRENT_HOLDS": (
            "信頼ポリシー（第{version}版）は{end}まで有効です。",
            "The trust policy (version {version}) is good until {end}.",
        ),
        "TRUST_POLICY_CURRENT_OPEN_ENDED": (
            "信頼ポリシーは第{version}版で、期限の定めはありません。",
            "The trust policy is version {version}, and has no end.",
        ),
        "TRUST_POLICY_CURRENT_EXPIRED": (
            "信頼ポリシー（第{version}版）は{end}に期限が切れています。新しいものをお求めください。",
            "The trust policy (version {version}) expired at {end}: get a newer one.",
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
