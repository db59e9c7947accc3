from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shirushi_client.consortium import (
    ConnectionFileError,
    NoConsortiumError,
    load_consortium,
    parse_consortium,
)
from shirushi_core.errors import InvalidInputError


def a_member(number: int) -> dict[str, Any]:
    return {
        "id": f"member{number}",
        "msp_id": f"Member{number}MSP",
        "name": {"ja": f"機関{number}", "en": f"Member {number}"},
        "peer": f"127.0.0.1:{7000 + number}",
        "tls_root": f"members/member{number}/tls.pem",
        "tls_name": None,
    }


def a_file(members: int = 5, **changes: Any) -> dict[str, Any]:
    return {
        "format": "shirushi/connection/v1",
        "channel": "shirushi-test",
        "quorum": members // 2 + 1,
        "members": [a_member(number) for number in range(members)],
    } | changes


def test_a_connection_file_names_the_members_and_their_files_relative_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "consortium.json").write_text(json.dumps(a_file()))
    consortium = load_consortium(tmp_path)
    assert (consortium.channel, consortium.quorum, len(consortium.members)) == ("shirushi-test", 3, 5)
    assert consortium.member("member2").tls_root == tmp_path / "members/member2/tls.pem"


def test_fields_it_does_not_know_do_not_matter(tmp_path: Path) -> None:
    parse_consortium(json.dumps(a_file(note="later versions may say more")).encode(), tmp_path)


def test_without_a_connection_file_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoConsortiumError, match="shirushi consortium up"):
        load_consortium(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "shirushi/connection/v2"},
        {"channel": "Not A Channel"},
        {"quorum": 2},
        {"quorum": 6},
        {"quorum": True},
        {"members": []},
        {"members": [a_member(1), a_member(1), a_member(2)]},
        {"members": [a_member(1), a_member(2) | {"msp_id": "Member1MSP"}], "quorum": 2},
        {"members": [a_member(1), a_member(2) | {"peer": "127.0.0.1:7001"}], "quorum": 2},
        {"members": [a_member(1) | {"name": "Member"}], "quorum": 1},
        {"members": [a_member(1) | {"tls_name": 5}], "quorum": 1},
    ],
)
def test_a_defect_is_refused_with_the_files_name(tmp_path: Path, changes: dict[str, Any]) -> None:
    (tmp_path / "consortium.json").write_text(json.dumps(a_file() | changes))
    with pytest.raises(ConnectionFileError, match=r"consortium\.json"):
        load_consortium(tmp_path)


def test_a_stranger_is_no_member(tmp_path: Path) -> None:
    consortium = parse_consortium(json.dumps(a_file()).encode(), tmp_path)
    with pytest.raises(ConnectionFileError, match="member0, member1"):
        consortium.member("stranger")


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_the_bytes_parsing_gives_a_typed_error(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        parse_consortium(data, Path())
