"""Our chaincode service under real peers: every call of the shim, many proposals at once, TLS, and coming back."""

from __future__ import annotations

import asyncio
import json
import os
import time
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import grpc
import grpc.aio
import pytest
import yaml
from tests.fabric.chaincode_thread import ServedChaincode
from tests.fabric.native_network import NativeNetwork

from shirushi_client.gateway import CallOptions, CommitError, Contract, GatewayError, StatusCode
from shirushi_client.ledger_errors import LedgerUnreachableError
from shirushi_client.session import VERIFIER, open_session
from shirushi_network.fabric.native import NativeNodes
from shirushi_network.fabric.nodes import Node, NodeKind, node_folder
from shirushi_network.fabric.readiness import is_ready
from shirushi_network.member_access import tls_roots
from shirushi_network.member_keys import load_signing_identity, load_tls
from shirushi_network.topology import Member

PATIENCE = CallOptions(timeout=60.0)
IN_FLIGHT = 200
CITY = "IizukaMSP"
OWN = f"_implicit_org_{CITY}"
OTHER = "_implicit_org_ChaintopeMSP"


class Probe:
    """The probing chaincode through one member's gateway."""

    def __init__(self, contract: Contract, msp_id: str) -> None:
        self._contract = contract
        self.msp_id = msp_id

    async def ask(self, function: str, *args: str, of: str | None = None, **transient: bytes) -> Any:
        """Evaluate at this member's own peer, or at another member's."""
        answer = await self._contract.evaluate(
            function,
            arguments=args,
            transient_data=transient,
            endorsing_organizations=[of or self.msp_id],
            options=PATIENCE,
        )
        return json.loads(answer)

    async def do(self, function: str, *args: str, at: Sequence[str] | None = None, **transient: bytes) -> Any:
        """Submit, endorsed by a majority or by the members named; returns once it is committed."""
        answer = await self._contract.submit(
            function, arguments=args, transient_data=transient, endorsing_organizations=at, options=PATIENCE
        )
        return json.loads(answer)


@pytest.fixture
async def probe(live_consortium: NativeNetwork) -> AsyncIterator[Probe]:
    async with live_consortium.gateway() as gateway:
        contract = gateway.get_network(live_consortium.topology.channel).get_contract("probe")
        yield Probe(contract, live_consortium.members[0].msp_id)


class TestCalls:
    """Each call of the stub, on a real peer."""

    async def test_what_is_written_is_read_in_the_next_transaction_and_not_in_its_own(
        self, probe: Probe
    ) -> None:
        assert await probe.do("read_own_write", "own") is None
        assert await probe.ask("get", "own") == "written"
        await probe.do("put", "a", "1", "b", "2", "a", "3")
        assert await probe.ask("get_many", "a", "nothing", "b", "a") == ["3", None, "2", "3"]
        await probe.do("delete", "a")
        assert await probe.ask("get", "a") is None

    async def test_a_range_longer_than_a_peer_sends_at_once_comes_whole_and_in_order(
        self, probe: Probe
    ) -> None:
        await probe.do("put_many", "long", "257")
        found = await probe.ask("key_range", "long", "lonh")
        assert found == [[f"long{number:04}", str(number)] for number in range(257)]
        assert await probe.ask("key_range", "long0255", "") >= found[255:]
        assert await probe.ask("first_in_range", "long", "lonh") == "long0000"

    async def test_pages_follow_each_other(self, probe: Probe) -> None:
        await probe.do("put_many", "paged", "7")
        keys, bookmark, sizes = [], "", []
        while True:
            page = await probe.ask("page", "paged", "pagee", "3", bookmark)
            keys += page["keys"]
            sizes.append(len(page["keys"]))
            bookmark = page["bookmark"]
            if not bookmark:
                break
        assert (keys, sizes) == ([f"paged{number:04}" for number in range(7)], [3, 3, 1])

    async def test_a_key_s_history_is_told_newest_first(self, probe: Probe) -> None:
        before = int(time.time()) - 1
        await probe.do("put", "remembered", "first")
        await probe.do("delete", "remembered")
        await probe.do("put", "remembered", "second")
        told = await probe.ask("history", "remembered")
        assert [value for value, _, _ in told] == ["second", "deleted", "first"]
        assert len({tx_id for _, tx_id, _ in told}) == 3
        assert all(before <= seconds <= time.time() + 1 for _, _, seconds in told)

    async def test_composite_keys_are_found_by_their_beginnings_and_not_among_simple_ones(
        self, probe: Probe
    ) -> None:
        for attributes in (("red", "1"), ("red", "2"), ("blue", "1")):
            await probe.do("put_composite", "colour", *attributes)
        assert await probe.ask("composite_range", "colour", "red") == [
            ["red", "1", "red/1"],
            ["red", "2", "red/2"],
        ]
        first = await probe.ask("composite_page", "colour", "2", "")
        second = await probe.ask("composite_page", "colour", "2", first["bookmark"])
        assert [len(first["keys"]), len(second["keys"])] == [2, 1]
        everything, _ = await probe.ask("all_composite", "100")
        assert ["colour", ["blue", "1"]] in everything
        assert not any("colour" in key for key, _ in await probe.ask("key_range", "", ""))

    async def test_a_transaction_has_its_last_event(
        self, live_consortium: NativeNetwork, probe: Probe
    ) -> None:
        async with live_consortium.gateway() as gateway:
            network = gateway.get_network(live_consortium.topology.channel)
            async with network.get_chaincode_events("probe") as events:
                await probe.do("event", "happened", "this")
                found = await asyncio.wait_for(anext(events), 20)
        assert (found.event_name, found.payload) == ("happened", b"this")

    async def test_the_proposal_is_the_client_s_own(
        self, live_consortium: NativeNetwork, probe: Probe
    ) -> None:
        told = await probe.ask("proposal", "argument", secret=b"whispered")
        user = live_consortium.home(live_consortium.members[0]) / "users" / "client" / "msp"
        assert told["function"] == ["proposal", ["argument"]]
        assert told["channel"] == live_consortium.topology.channel
        assert told["transient"] == {"secret": "whispered"}
        assert told["signed"]
        assert abs(told["seconds"] - time.time()) < 60
        assert b64decode(told["creator"]) == load_signing_identity(user, CITY).identity.serialized
        assert len(told["binding"]) == 64

    async def test_another_chaincode_is_called_and_writes_to_its_own_state(self, probe: Probe) -> None:
        done = await probe.do("call", "basic", "put", "called", "value")
        assert done == {"status": 200, "message": "", "payload": "value"}
        assert (await probe.ask("call", "basic", "get", "called"))["payload"] == "value"
        assert await probe.ask("get", "called") is None
        failed = await probe.ask("call", "basic", "fail", "not today")
        assert (failed["status"], failed["message"]) == (500, "not today")
        missing = await probe.ask("call", "nothing", "get", "called")
        assert missing["status"] == 500
        assert "nothing" in missing["message"]


class TestPrivateData:
    """Private data in the collections that every member has for itself."""

    async def test_only_its_member_has_the_value_and_all_have_its_hash(
        self, live_consortium: NativeNetwork, probe: Probe
    ) -> None:
        await probe.do("put_private", OWN, "secret", "other", at=[CITY], secret=b"of the city", other=b"too")
        assert await probe.ask("get_private", OWN, "secret", "nothing") == ["of the city", None]
        assert await probe.ask("private_range", OWN, "", "") == [["other", "too"], ["secret", "of the city"]]
        digest = sha256(b"of the city").hexdigest()
        await asyncio.to_thread(live_consortium.settle)
        for member in (CITY, "KaguyaMSP"):
            assert await probe.ask("private_hash", OWN, "secret", of=member) == digest
        with pytest.raises(GatewayError, match="GET_STATE"):
            await probe.ask("get_private", OWN, "secret", of="KaguyaMSP")
        assert await probe.ask("private_hash", OTHER, "secret") is None

    async def test_deleted_and_purged_it_is_gone_and_the_purge_is_told_to_all(
        self, live_consortium: NativeNetwork, probe: Probe
    ) -> None:
        await probe.do("put_private", OWN, "gone", "purged", at=[CITY], gone=b"1", purged=b"2")
        await probe.do("delete_private", OWN, "gone", at=[CITY])
        await probe.do("purge_private", OWN, "purged", at=[CITY])
        assert await probe.ask("get_private", OWN, "gone", "purged") == [None, None]
        await asyncio.to_thread(live_consortium.settle)
        for key in ("gone", "purged"):
            assert await probe.ask("private_hash", OWN, key, of="KaguyaMSP") is None

    async def test_composite_keys_work_in_a_collection_too(self, probe: Probe) -> None:
        await probe.do("put_private_composite", OWN, "shape", "round", at=[CITY])
        assert await probe.ask("private_composite_range", OWN, "shape") == [["round"]]

    async def test_a_private_key_can_have_a_policy_of_its_own(self, probe: Probe) -> None:
        policy = f"OR('{CITY}.peer')"
        await probe.do("put_private", OWN, "guarded", at=[CITY], guarded=b"1")
        await probe.do("set_private_policy", OWN, "guarded", policy, at=[CITY])
        assert await probe.ask("private_policy_is", OWN, "guarded", policy)


class TestPolicyOfAKey:
    async def test_it_counts_instead_of_the_chaincode_s(self, probe: Probe) -> None:
        policy = "AND('ChaintopeMSP.peer','HawMSP.peer')"
        await probe.do("put", "guarded", "1")
        await probe.do("set_policy", "guarded", policy)
        assert await probe.ask("policy_is", "guarded", policy)
        with pytest.raises(CommitError) as refused:
            await probe.do("put", "guarded", "2", at=[CITY, "KaguyaMSP", "GcomMSP"])
        assert refused.value.code == StatusCode.ENDORSEMENT_POLICY_FAILURE
        await probe.do("put", "guarded", "3", at=["ChaintopeMSP", "HawMSP"])
        await probe.do("put", "guarded", "4")  # the gateway finds out whom it takes
        assert await probe.ask("get", "guarded") == "4"


class TestRefusals:
    """What a peer refuses is raised in the contract, and is never a value."""

    async def test_a_refusal_can_be_caught_and_the_transaction_goes_on(self, probe: Probe) -> None:
        answer = await probe.ask("refused_query")
        assert answer["raised"].startswith("GET_QUERY_RESULT failed")
        assert answer["after"] is None

    @pytest.mark.parametrize("function", ["refused_private", "refused_write"])
    async def test_one_that_is_not_caught_is_the_chaincode_s_error(self, probe: Probe, function: str) -> None:
        with pytest.raises(GatewayError) as refused:
            await probe.ask(function, "no-such-collection")
        said = " ".join([str(refused.value), *(detail.message for detail in refused.value.details)])
        assert "chaincode response 500" in said
        assert "no-such-collection" in said


class TestManyAtOnce:
    async def test_questions_in_flight_at_one_peer_are_all_answered_with_their_own_answer(
        self, probe: Probe
    ) -> None:
        await probe.do("put_many", "asked", str(IN_FLIGHT))
        answers = await asyncio.gather(
            *(probe.ask("get", f"asked{number:04}") for number in range(IN_FLIGHT))
        )
        assert answers == [str(number) for number in range(IN_FLIGHT)]

    async def test_transactions_in_flight_at_one_peer_are_all_committed(self, probe: Probe) -> None:
        await asyncio.gather(
            *(probe.do("put", f"sent{number:04}", str(number)) for number in range(IN_FLIGHT))
        )
        found = await probe.ask("key_range", "sent", "senu")
        assert found == [[f"sent{number:04}", str(number)] for number in range(IN_FLIGHT)]


@contextmanager
def as_before_3_1(network: NativeNetwork, member: Member) -> Iterator[None]:
    """Have a member's peer offer neither write batches nor reads of several keys."""
    node = Node(member, NodeKind.PEER)
    network.nodes.stop_member(member.id, "peer")
    file = node_folder(network.root, node) / "core.yaml"
    configuration = yaml.safe_load(file.read_bytes())
    configuration["chaincode"]["runtimeParams"] |= {"useWriteBatch": False, "useGetMultipleKeys": False}
    file.write_text(yaml.safe_dump(configuration))
    NativeNodes(network.root, None, os.environ).start(node)
    roots = tls_roots(network.layout, member)
    network.wait_until(lambda: is_ready(node, roots), f"the peer of {member.id}")
    try:
        yield
    finally:
        network.nodes.stop_member(member.id, "peer")
        network.nodes.start_member(member.id, "peer")


class TestBatches:
    async def test_writes_and_reads_go_in_batches_where_the_peer_takes_them_and_give_the_same(
        self, live_consortium: NativeNetwork, chaincodes: dict[str, ServedChaincode]
    ) -> None:
        member = live_consortium.members[-1]
        keys = [f"batch{number:04}" for number in range(50)]

        async def work() -> tuple[list[Any], Counter[str]]:
            before = Counter(chaincodes["probe"].sent)
            async with live_consortium.gateway(member.id) as gateway:
                contract = gateway.get_network(live_consortium.topology.channel).get_contract("probe")
                probe = Probe(contract, member.msp_id)
                written = await probe.ask("put_many", "batch", "50")
                return [written, await probe.ask("get_many", *keys)], chaincodes["probe"].sent - before

        async with live_consortium.gateway() as gateway:
            contract = gateway.get_network(live_consortium.topology.channel).get_contract("probe")
            await Probe(contract, CITY).do("put_many", "batch", "50")
        await asyncio.to_thread(live_consortium.settle)
        together, sent = await work()
        with as_before_3_1(live_consortium, member):
            one_by_one, sent_one_by_one = await work()
        assert together == one_by_one == [None, [str(number) for number in range(50)]]
        assert sent == {"WRITE_BATCH_STATE": 1, "GET_STATE_MULTIPLE": 1, "COMPLETED": 2}
        del sent_one_by_one["REGISTER"]
        assert sent_one_by_one == {"PUT_STATE": 50, "GET_STATE": 50, "COMPLETED": 2}


class TestMembersOwnServices:
    """Each member's service of the anchors chaincode, which only its own peer may call."""

    @pytest.mark.parametrize("who", ["nobody", "another member's peer", "its own peer"])
    async def test_only_a_client_with_a_certificate_of_the_member_s_tls_ca_is_served(
        self, live_consortium: NativeNetwork, who: str
    ) -> None:
        member, other = live_consortium.members[:2]
        peer = {"its own peer": member, "another member's peer": other}.get(who)
        key = certificate = None
        if peer is not None:
            certificate, key, _ = load_tls(live_consortium.home(peer) / "peers" / "peer0" / "tls")
        roots = tls_roots(live_consortium.layout, member)
        credentials = grpc.ssl_channel_credentials(roots, key, certificate)
        async with grpc.aio.secure_channel(member.chaincode.address, credentials) as channel:
            call = channel.stream_stream("/protos.Chaincode/Connect")(timeout=10)
            if who == "its own peer":
                assert await call.read() != grpc.aio.EOF  # the chaincode registers
                call.cancel()
                return
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call.read()
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE

    async def test_a_peer_calls_again_a_service_that_was_killed_and_came_back(
        self, live_consortium: NativeNetwork
    ) -> None:
        member = live_consortium.members[2]
        question = ("list_issuers", {"bookmark": "", "page_size": 1})
        async with open_session(live_consortium.root, VERIFIER) as session:
            (contract,) = (each for each in session.members if each.member.id == member.id)
            first = await contract.evaluate(*question)
            live_consortium.kill(member, NodeKind.CHAINCODE)
            with pytest.raises(LedgerUnreachableError):
                await contract.evaluate(*question)
            live_consortium.nodes.start_member(member.id, "chaincode")
            async with asyncio.timeout(30):
                while True:
                    try:
                        assert await contract.evaluate(*question) == first
                        break
                    except LedgerUnreachableError:
                        await asyncio.sleep(0.2)
