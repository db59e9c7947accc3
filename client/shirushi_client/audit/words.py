"""The sentence of every code of an audit, in Japanese and English. Codes are stable; sentences may be improved."""

from __future__ import annotations

from types import MappingProxyType

SENTENCES = MappingProxyType(
    {
        "CHECKPOINT_OTHER_LOG": (
            "{log}のチェックポイントは別の台帳のものです（期待：{expected}、実際：{found}）。",
            "The checkpoint of {log} is of another log: expected {expected}, found {found}.",
        ),
        "CHECKPOINT_BAD_SIGNATURE": (
            "{log}のチェックポイントの署名が正しくありません：{found}。",
            "A signature on the checkpoint of {log} does not hold: {found}.",
        ),
        "ENTRY_DIFFERS": (
            "{log}が示す{index}番の記録は、署名されたログの記録ではありません。",
            "Entry {index} as {log} serves it is not the one in the log that was signed.",
        ),
        "ENTRY_MISSING": (
            "{log}のログには{index}番の記録が欠けています（期待：{expected}、実際：{found}）。",
            "Entry {index} is missing from what {log} serves: expected {expected}, found {found}.",
        ),
        "TILE_FORGED": (
            "{log}のタイルは{index}番の記録のところで、署名されたログと異なります。",
            "A tile of {log} is not of the log that was signed, from entry {index} on.",
        ),
        "TILES_CONTRADICT": (
            "{log}の記録とタイルは{index}番から食い違い、どちらも署名されたログにつながりません。",
            "Entries and tiles of {log} contradict each other from entry {index} on, and neither leads to the signed root.",
        ),
        "ROOT_DIFFERS": (
            "{log}が署名したルートは、そのログの記録から計算したルートと異なります。",
            "The root that was signed for {log} is not that of its entries.",
        ),
        "ENTRY_MALFORMED": (
            "{log}の{index}番の記録は、契約が作る形式ではありません：{found}。",
            "Entry {index} of {log} is none that the contract makes: {found}.",
        ),
        "ENTRY_AGAINST_RULES": (
            "{log}の{index}番の記録は、それまでの記録からは認められません（期待：{expected}、実際：{found}）。",
            "Entry {index} of {log} is not allowed after those before it: expected {expected}, found {found}.",
        ),
        "STATUS_ROOT_DIFFERS": (
            "{log}の{index}番の状態ルートは、それまでの状態変更から計算したものと異なります。",
            "The status root in entry {index} of {log} is not that of the statuses before it.",
        ),
        "NOT_A_HEAD": (
            "{log}のチェックポイントは、ブロックの終わりではないところで終わっています。",
            "The checkpoint of {log} ends where no block ends.",
        ),
        "LOGS_DIFFER": (
            "{log}と{other}のログは{index}番の記録から異なります。",
            "The logs of {log} and {other} differ, first at entry {index}.",
        ),
        "SIGNED_ANOTHER_HEAD": (
            "{log}は、{other}には別のログの先頭を署名して示していました。",
            "{log} signed another head of the log, which {other} has seen.",
        ),
        "SIGNED_BACKWARDS": (
            "{log}は、より大きなログの先頭（{other}が確認）に署名した後で、小さい先頭に署名しました。",
            "{log} signed a smaller head after a larger one, which {other} has seen.",
        ),
        "PROOF_FORGED": (
            "{log}が示した整合性の証明が成り立ちません：{found}。",
            "The consistency proof that {log} gave does not hold: {found}.",
        ),
        "BLOCK_REFUSED": (
            "{log}のブロックが検査に通りません：{found}。",
            "The blocks of {log} do not hold: {found}.",
        ),
        "ANCHORED_NOT_LISTED": (
            "台帳に記録されたバッチ{found}が一覧にありません。",
            "Batch {found} is anchored and not on the list.",
        ),
        "LISTED_NOT_ANCHORED": (
            "一覧にあるバッチ{expected}が台帳に記録されていません。",
            "Batch {expected} is on the list and not anchored.",
        ),
        "COUNT_DIFFERS": (
            "バッチの証明書の数が一覧と台帳で異なります（一覧：{expected}、台帳：{found}）。",
            "The list and the ledger differ in how many certificates a batch has: listed {expected}, anchored {found}.",
        ),
        "MEMBER_UNREACHABLE": (
            "{log}の立会いサーバーから回答がありません：{found}。",
            "{log} could not be asked: {found}.",
        ),
        "LOG_UNREADABLE": (
            "{log}のログは{index}番の記録から先を読めませんでした：{found}。",
            "The log of {log} could not be read from entry {index} on: {found}.",
        ),
        "CHECKPOINT_MISSING": (
            "{log}にはチェックポイントがなく、誰の署名とも照合できません。",
            "{log} has no checkpoint: there is no signature to hold it against.",
        ),
        "CHECKPOINT_NOT_SIGNED": (
            "{log}のチェックポイントに、必要な署名がありません：{found}。",
            "The checkpoint of {log} does not have the signatures it needs: {found}.",
        ),
        "CHECKPOINT_STALE": (
            "{log}は{found}秒前から署名していません。その後のことは確認できません。",
            "{log} has not signed for {found} s: what came since could not be looked at.",
        ),
        "CHECKPOINT_AHEAD": (
            "{log}の署名の時刻は{found}秒先です。時計を確認してください。",
            "{log} signed with a time {found} s ahead: a clock is wrong.",
        ),
        "BLOCKS_UNREADABLE": (
            "{log}のブロックを読めませんでした：{found}。",
            "The blocks of {log} could not be read: {found}.",
        ),
    }
)
