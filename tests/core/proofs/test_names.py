"""Names and addresses that others choose and people are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.names import MAX_NAME, check_https, check_name


@pytest.mark.parametrize(
    "name",
    [
        "飯塚市",
        "株式会社ハウインターナショナル",
        "葛󠄀城市",
        "山田　太郎",
        "Iizuka City (Fukuoka)",
        "Đặng",
        "가",
    ],
)
def test_names_as_offices_and_companies_have_them_are_taken(name: str) -> None:
    assert check_name(name, "name") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "\u3000",
        "a" * (MAX_NAME + 1),
        "Haw\nquorum: 1",
        "Haw\rquorum",
        "Haw\x1b[2K",
        "Haw\u009b2K",
        "Haw\u202emuroq",
        "Haw\u2066x\u2069",
        "Haw\u200b",
        "Haw\u200f",
        "Haw\u061c",
        "Haw\ufeff",
        "Haw\u2028x",
        "Haw\u00a0x",
        "Haw\u3164",
        "Haw\ue000",
        "Haw\ud800",
        "Haw\U000e0041",
        "Haw" + "\u0335" * 5,
    ],
    ids=ascii,
)
def test_what_hides_reorders_or_imitates_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match="name: expected"):
        check_name(name, "name")


@given(st.text(max_size=MAX_NAME + 10))
def test_what_is_taken_is_one_line_of_printable_text(name: str) -> None:
    try:
        check_name(name, "name")
    except InvalidInputError:
        return
    assert len(name.splitlines()) == 1
    assert name.replace("\u3000", " ").isprintable()


@pytest.mark.parametrize(
    "url",
    [
        "https://witness.example",
        "https://127.0.0.1:17057",
        "https://[2001:db8::1]:8443/a/b",
        "https://w_1.example/",
    ],
)
def test_addresses_of_https_are_taken(url: str) -> None:
    assert check_https(url, "url") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://witness.example",
        "HTTPS://witness.example",
        "ftp://witness.example",
        "https://",
        "https:///path",
        "https://:443",
        "https://user@witness.example",
        "https://user:word@witness.example",
        "https://witness.example#part",
        "https://witness.example?query",
        "https://witness.example/\nquorum none",
        "https://witness.example/ x",
        "https://witness.example/\u202ex",
        "https://wıtness.example",
        "https://witness.example\\@elsewhere.example",
        "https://witness.example:0",
        "https://witness.example:65536",
        "https://-witness.example",
        "https://wit..example",
        "https://witness.example/" + "a" * 1024,
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match="https://host"):
        check_https(url, "url")
