"""Income certificates (所得証明書) of made-up residents, as PDFs with Japanese text."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

_MINCHO = "HeiseiMin-W3"
_GOTHIC = "HeiseiKakuGo-W5"

_FAMILY_NAMES = [
    "麻生",
    "大神",
    "小川",
    "梶原",
    "上野",
    "許斐",
    "瓜生",
    "花村",
    "城戸",
    "永露",
    "野見山",
    "有松",
    "松岡",
    "縄田",
    "森山",
    "赤間",
    "柴田",
    "原田",
    "吉武",
    "実岡",
]
_GIVEN_NAMES = [
    "陽菜",
    "蓮",
    "結衣",
    "湊",
    "葵",
    "樹",
    "凛",
    "大翔",
    "美咲",
    "悠真",
    "紬",
    "朝陽",
    "詩",
    "律",
    "千尋",
    "航",
    "楓",
    "直樹",
    "恵子",
    "博",
]
_DISTRICTS = [
    "立岩",
    "新立岩",
    "吉原町",
    "本町",
    "柏の森",
    "川津",
    "有安",
    "綱分",
    "鶴三緒",
    "幸袋",
    "鯰田",
    "菰田東",
    "平恒",
    "忠隈",
    "大分",
    "内野",
]
_INCOME_KINDS = ("給与所得", "事業所得", "年金所得", "不動産所得")


@dataclass(frozen=True, slots=True)
class IncomeCertificate:
    """What one certificate says. Nobody in it exists."""

    number: str
    name: str
    address: str
    born: str
    fiscal_year: str
    incomes: tuple[tuple[str, int], ...]
    deductions: int
    issued_on: str

    @property
    def total(self) -> int:
        """The sum of all incomes, in yen."""
        return sum(amount for _, amount in self.incomes)


def made_up_certificates(count: int, *, seed: int, issued_on: str) -> Iterator[IncomeCertificate]:
    """Yield certificates of made-up residents; the same seed gives the same residents."""
    chance = random.Random(seed)  # noqa: S311 - sample data, not a secret
    for serial in range(1, count + 1):
        kinds = chance.sample(_INCOME_KINDS, chance.choice((1, 1, 1, 2)))
        yield IncomeCertificate(
            number=f"令8飯税証第{serial:05d}号",
            name=f"{chance.choice(_FAMILY_NAMES)}　{chance.choice(_GIVEN_NAMES)}",
            address=f"福岡県飯塚市{chance.choice(_DISTRICTS)}{chance.randint(1, 1999)}番地{chance.randint(1, 30)}",
            born=f"昭和{chance.randint(20, 63)}年{chance.randint(1, 12)}月{chance.randint(1, 28)}日",
            fiscal_year="令和8年度（令和7年分）",
            incomes=tuple((kind, chance.randrange(480_000, 7_200_000, 1_000)) for kind in kinds),
            deductions=chance.randrange(430_000, 1_900_000, 1_000),
            issued_on=issued_on,
        )


def render_pdf(certificate: IncomeCertificate) -> bytes:
    """Draw one certificate on an A4 page; the same certificate gives the same bytes."""
    for font in (_MINCHO, _GOTHIC):
        pdfmetrics.registerFont(UnicodeCIDFont(font))
    buffer = io.BytesIO()
    page = Canvas(buffer, pagesize=A4, invariant=1)
    page.setTitle("所得証明書（見本）")
    page.setAuthor("飯塚市（架空の見本）")
    width, height = A4
    page.setFont(_MINCHO, 10)
    page.drawRightString(width - 25 * mm, height - 25 * mm, certificate.number)
    page.setFont(_MINCHO, 24)
    page.drawCentredString(width / 2, height - 48 * mm, "所 得 証 明 書")
    page.setFont(_MINCHO, 12)
    rows = [
        ("年度", certificate.fiscal_year),
        ("住所", certificate.address),
        ("氏名", certificate.name),
        ("生年月日", certificate.born),
        *((kind, f"{amount:,} 円") for kind, amount in certificate.incomes),
        ("合計所得金額", f"{certificate.total:,} 円"),
        ("所得控除額の合計", f"{certificate.deductions:,} 円"),
    ]
    top, row_height, left, middle, right = height - 70 * mm, 11 * mm, 25 * mm, 75 * mm, width - 25 * mm
    page.setLineWidth(0.6)
    for row, (label, value) in enumerate(rows):
        base = top - row * row_height
        page.rect(left, base - row_height, right - left, row_height)
        page.drawString(left + 4 * mm, base - 7.2 * mm, label)
        page.drawString(middle + 4 * mm, base - 7.2 * mm, value)
    bottom = top - len(rows) * row_height
    page.line(middle, top, middle, bottom)
    page.drawString(left, bottom - 18 * mm, "上記のとおり証明します。")
    page.drawString(left, bottom - 32 * mm, certificate.issued_on)
    page.setFont(_MINCHO, 15)
    page.drawRightString(right, bottom - 46 * mm, "飯塚市長　（架空の見本）")
    page.setFont(_GOTHIC, 8)
    page.drawString(left, 22 * mm, "この証明書は見本です。記載の人物・金額はすべて架空のものです。")
    page.showPage()
    page.save()
    return buffer.getvalue()
