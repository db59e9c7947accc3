"""One member's admin and a client try to stop the others' witnesses: on real Fabric, by what its peers commit all the same.

Where our reading of certificates, envelopes and endorsements differs from Go's, that must be an alarm and nothing else: five
witnesses sign on, to one head, and one that begins anew comes to the same bytes.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from fabric_protos.common import common_pb2, configtx_pb2
from fabric_protos.peer import transaction_pb2
from tests.fabric.changing_network import ChangingNetwork
from tests.fabric.forging import _authority
from tests.fabric.test_witness_processes import agree, all_sign, tiles
from tests.network.test_witnesses import issue, note_of
from tests.support.command import shirushi
from tests.support.transactions import sign_envelope

from shirushi_core.fabric import config_edits
from shirushi_core.fabric.block import validation_codes
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.proofs.canonical import encode
from shirushi_network.fabric.nodes import Node, NodeKind, node_folder
from shirushi_network.layout import Layout
from shirushi_network.member_keys import load_signing_identity
from shirushi_network.topology import Member

Odd = Callable[[Any], bytes]
"""Takes a transaction's payload, and gives other bytes for it that a peer may take."""


@pytest.fixture(scope="module")
def live(fabric: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChangingNetwork]:
    made = ChangingNetwork(Layout(tmp_path_factory.mktemp("hostile") / "consortium"))
    made.up()
    yield made
    made.down()


def action_of(payload: Any) -> tuple[Any, Any]:
    transaction = transaction_pb2.Transaction.FromString(payload.data)
    return transaction, transaction_pb2.ChaincodeActionPayload.FromString(transaction.actions[0].payload)


def with_action(payload: Any, transaction: Any, action: bytes) -> bytes:
    transaction.actions[0].payload = action
    payload.data = transaction.SerializeToString()
    return bytes(payload.SerializeToString())


def many_endorsements(payload: Any) -> bytes:
    transaction, action = action_of(payload)
    again = action.action.endorsements[0]
    action.action.endorsements.extend([again] * 400)
    return with_action(payload, transaction, action.SerializeToString())


def other_peoples_endorsements(payload: Any) -> bytes:
    transaction, action = action_of(payload)
    for identity in (b"", b"\xff", secrets.token_bytes(900)):
        action.action.endorsements.add(endorser=identity, signature=b"\x30")
    return with_action(payload, transaction, action.SerializeToString())


def unknown_fields(payload: Any) -> bytes:
    transaction, action = action_of(payload)
    odd = action.SerializeToString() + b"\xfa\x07\x03odd" + b"\xfb\x07\x08\x01\xfc\x07" + b"\xf8\x07\x80\x00"
    return with_action(payload, transaction, odd)


def long_tags(payload: Any) -> bytes:
    """Write the tag and length of a field in more bytes than it takes: Go reads them, Python's library refuses some."""
    data = bytes(payload.data)
    header = bytes(payload.header.SerializeToString())
    return (
        b"\x8a\x80\x80\x80\x80\x80\x00"
        + varint(len(header))
        + header
        + b"\x92\x80\x00"
        + varint(len(data))
        + data
    )


def parts_twice(payload: Any) -> bytes:
    """Give the header in two halves, which merge, and the data twice, of which the last counts."""
    channel = common_pb2.Header(channel_header=payload.header.channel_header).SerializeToString()
    signature = common_pb2.Header(signature_header=payload.header.signature_header).SerializeToString()
    data = bytes(payload.data)
    return (
        (b"\x12\x01x" + b"\x0a" + varint(len(channel)) + channel)
        + (b"\x0a" + varint(len(signature)) + signature)
        + (b"\x12" + varint(len(data)) + data)
    )


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return out + bytes((value,))


async def committed(live: ChangingNetwork, odd: Odd) -> str:
    """Have a tick endorsed, made odd, signed again by its client and ordered; return what the peers made of it."""
    client = load_signing_identity(live.home(live.member("haw")) / "users" / "client" / "msp", "HawMSP")
    async with live.gateway("haw") as gateway:
        contract = gateway.get_network(live.topology.channel).get_contract("anchors")
        transaction = await contract.new_proposal("tick", arguments=[encode({})]).endorse()
        envelope = transaction._prepared_message.envelope
        envelope.payload = odd(common_pb2.Payload.FromString(envelope.payload))
        sign_envelope(envelope, client)
        status = await (await transaction.submit()).get_status()
    return str(status.code_name)


@pytest.mark.parametrize(
    "odd", [many_endorsements, other_peoples_endorsements, unknown_fields, long_tags, parts_twice]
)
def test_an_odd_transaction_of_a_client_stops_no_witness(live: ChangingNetwork, odd: Odd) -> None:
    code = asyncio.run(committed(live, odd))
    if odd in (many_endorsements, other_peoples_endorsements):
        assert code == "VALID", "there is no such limit in Fabric"
    live.settle()
    all_sign(live)
    agree(live)


def with_name_constraints(authority: Any) -> bytes:
    constraints = x509.NameConstraints([x509.DNSName("example.org")], None)
    identity: SigningIdentity = authority.issue(
        "admin",
        name="odd",
        extensions=[(constraints, False)],
        not_before=authority.certificate.not_valid_before_utc,
    )
    return identity.identity.certificate_pem


def add_admin(msp_id: str, certificate: bytes) -> Any:
    """Return the edit that gives a member another admin, wherever its MSP stands, without looking at what it is."""

    def edit(group: configtx_pb2.ConfigGroup) -> configtx_pb2.ConfigGroup:
        edited = configtx_pb2.ConfigGroup()
        edited.CopyFrom(group)
        for organisation in config_edits._organisations(edited, msp_id, config_edits._BOTH):
            config_edits._change_msp(organisation, lambda msp: msp.admins.append(certificate))
        return edited

    return edit


def change_alone(live: ChangingNetwork, member: Member, edit: Any) -> None:
    """Have one member's admin alone change its own part of the configuration."""
    answer = live.submit(live.propose(edit, [member]), member)
    assert answer.status == common_pb2.SUCCESS, answer.info


def test_an_odd_admin_of_one_member_stops_no_witness(live: ChangingNetwork, tmp_path: Path) -> None:
    haw = live.member("haw")
    odd = with_name_constraints(_authority(live.home(haw), haw.msp_id))
    height = live.settle()
    change_alone(live, haw, add_admin(haw.msp_id, odd))
    live.wait_until(lambda: live.settle() > height, "the config block")
    before = note_of(live.root, "gcom").text
    issue(live.root, tmp_path / "certificate.txt")
    live.wait_until(lambda: note_of(live.root, "gcom").text != before, "a new head")
    all_sign(live)
    agree(live)


def test_after_all_that_a_witness_that_begins_anew_comes_to_the_same_bytes(
    live: ChangingNetwork,
) -> None:
    folder = node_folder(live.root, Node(live.member("gcom"), NodeKind.WITNESS))
    assert shirushi("consortium", "stop", "gcom", "--node", "witness", data=live.root).exit_code == 0
    before = {path.relative_to(folder): path.read_bytes() for path in tiles(folder)}
    assert before
    shutil.rmtree(folder)
    assert shirushi("consortium", "start", "gcom", "--node", "witness", data=live.root).exit_code == 0
    all_sign(live)
    agree(live)
    after = {path.relative_to(folder): path.read_bytes() for path in tiles(folder)}
    assert {path: after.get(path) for path in before if ".p" not in str(path)} == {
        path: data for path, data in before.items() if ".p" not in str(path)
    }
    codes = [code for block in asyncio.run(live.blocks()) for code in validation_codes(block)]
    assert codes.count(transaction_pb2.VALID) > 5
