from __future__ import annotations

import pytest
from fabric_protos.common import policies_pb2
from fabric_protos.msp import msp_principal_pb2
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.policy import parse_policy_text


def parsed(text: str) -> policies_pb2.SignaturePolicyEnvelope:
    return policies_pb2.SignaturePolicyEnvelope.FromString(parse_policy_text(text))


def roles(envelope: policies_pb2.SignaturePolicyEnvelope) -> list[tuple[str, str]]:
    found = [msp_principal_pb2.MSPRole.FromString(each.principal) for each in envelope.identities]
    name = msp_principal_pb2.MSPRole.MSPRoleType.Name
    return [(each.msp_identifier, name(each.role).lower()) for each in found]


def test_gates_nest_and_every_principal_has_an_index_of_its_own() -> None:
    envelope = parsed("AND('Org1MSP.peer', OutOf(1, 'Org1MSP.peer', \"Org-2.x.admin\"))")
    assert roles(envelope) == [("Org1MSP", "peer"), ("Org1MSP", "peer"), ("Org-2.x", "admin")]
    assert envelope.version == 0
    outer = envelope.rule.n_out_of
    assert (outer.n, outer.rules[0].signed_by) == (2, 0)
    assert (outer.rules[1].n_out_of.n, [each.signed_by for each in outer.rules[1].n_out_of.rules]) == (
        1,
        [1, 2],
    )


@pytest.mark.parametrize("role", ["member", "admin", "client", "peer", "orderer"])
def test_roles(role: str) -> None:
    assert roles(parsed(f"OR('Org1MSP.{role}')")) == [("Org1MSP", role)]


@pytest.mark.parametrize(("name", "n"), [("AND", 2), ("And", 2), ("and", 2), ("OR", 1), ("Or", 1), ("or", 1)])
def test_spellings(name: str, n: int) -> None:
    assert parsed(f"{name}('A.peer', 'B.peer')").rule.n_out_of.n == n


def test_spaces_do_not_matter() -> None:
    assert parse_policy_text(" OR ( 'A.peer' ,\n'B.peer' ) ") == parse_policy_text("OR('A.peer','B.peer')")


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 1),
        ("'A.peer'", 1),
        ("XOR('A.peer')", 1),
        ("OR()", 4),
        ("OR('A.peer'", 12),
        ("OR('A.peer',)", 13),
        ("OR('A.peer') OR('A.peer')", 13),
        ("OR('A.king')", 4),
        ("OR('peer')", 4),
        ("OR(A.peer)", 4),
        ("OR(1, 'A.peer')", 4),
        ("OutOf('A.peer')", 7),
        ("OutOf(3, 'A.peer')", 1),
        ("OutOf(-1, 'A.peer')", 7),
        ("OR('Ä.peer')", 4),
    ],
)
def test_what_is_no_policy_is_refused_with_the_position(text: str, position: int) -> None:
    with pytest.raises(InvalidInputError, match=rf"at character {position}: "):
        parse_policy_text(text)


def test_one_more_than_there_are_is_allowed_and_never_satisfied() -> None:
    assert parsed("OutOf(2, 'A.peer')").rule.n_out_of.n == 2


def test_depth_and_length_are_bounded() -> None:
    for text in ("OR(" * 200 + "'A.peer'" + ")" * 200, "OR('A.peer'" + ", 'A.peer'" * 10_000 + ")"):
        with pytest.raises(InvalidInputError):
            parse_policy_text(text)


@given(text=st.one_of(st.text(), st.text(alphabet="ANDORoutf('A.peer\",) 012")))
def test_noise_gives_bytes_or_a_typed_error(text: str) -> None:
    try:
        parse_policy_text(text)
    except InvalidInputError:
        return
