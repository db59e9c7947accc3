"""qscc, cscc and _lifecycle, as Fabric's own tools ask them."""

from __future__ import annotations

import pytest
from fabric_protos.common import common_pb2, configtx_pb2, ledger_pb2
from fabric_protos.peer import query_pb2, transaction_pb2
from fabric_protos.peer.lifecycle import lifecycle_pb2
from tests.support.raw_client import RawClient, refusal
from tests.support.service_network import Network

from shirushi_core.fabric.block import header_hash
from shirushi_core.fabric.channel_config import from_config


async def ask(client: RawClient, chaincode: str, *args: str | bytes) -> tuple[int, bytes, str]:
    """Return a system chaincode's status, payload and message."""
    signed = client.proposal(*args, chaincode=chaincode)
    response = (await client.endorser.ProcessProposal(signed)).response
    return response.status, response.payload, response.message


class TestQscc:
    async def test_chain_info(self, client: RawClient) -> None:
        await client.transact("put", "key", "value")
        status, payload, _ = await ask(client, "qscc", "GetChainInfo", client.channel_id)
        info = ledger_pb2.BlockchainInfo.FromString(payload)
        newest = await self.block(client, b"1")
        assert (status, info.height) == (200, 2)
        assert info.currentBlockHash == header_hash(newest.header)
        assert info.previousBlockHash == newest.header.previous_hash

    async def block(self, client: RawClient, number: bytes) -> common_pb2.Block:
        _, payload, _ = await ask(client, "qscc", "GetBlockByNumber", client.channel_id, number)
        return common_pb2.Block.FromString(payload)

    async def test_a_block_by_number_hash_and_transaction(self, client: RawClient) -> None:
        endorsed = await client.endorse("put", "key", "value")
        await client.submit(endorsed)
        await client.commit_status(endorsed.tx_id)
        block = await self.block(client, b"1")
        by_hash = await ask(client, "qscc", "GetBlockByHash", client.channel_id, header_hash(block.header))
        by_transaction = await ask(client, "qscc", "GetBlockByTxID", client.channel_id, endorsed.tx_id)
        assert by_hash[1] == by_transaction[1] == block.SerializeToString()

    async def test_a_transaction_with_its_code(self, client: RawClient) -> None:
        endorsed = await client.endorse("put", "key", "value", organisations=[client.user.identity.msp_id])
        await client.submit(endorsed)
        await client.commit_status(endorsed.tx_id)
        _, payload, _ = await ask(client, "qscc", "GetTransactionByID", client.channel_id, endorsed.tx_id)
        processed = transaction_pb2.ProcessedTransaction.FromString(payload)
        assert processed.validationCode == transaction_pb2.ENDORSEMENT_POLICY_FAILURE
        assert processed.transactionEnvelope == endorsed.envelope

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (
                ["GetBlockByNumber", "9"],
                "Failed to get block number 9, error no such block number [9] in index",
            ),
            (
                ["GetBlockByNumber", "nine"],
                'Failed to parse block number with error strconv.ParseUint: parsing "nine": invalid syntax',
            ),
            (
                ["GetTransactionByID", "t"],
                "Failed to get transaction with id t, error no such transaction ID [t] in index",
            ),
            (
                ["GetBlockByTxID", "t"],
                "Failed to get block for txID t, error no such transaction ID [t] in index",
            ),
            (["GetBlockByHash", "h"], "Failed to get block hash h, error no such block hash [68] in index"),
            (["GetBlockByNumber"], "missing 3rd argument for GetBlockByNumber"),
        ],
    )
    async def test_what_is_not_there_is_said_in_fabrics_words(
        self, client: RawClient, args: list[str], message: str
    ) -> None:
        function, *rest = args
        status, _, text = await ask(client, "qscc", function, client.channel_id, *rest)
        assert (status, text) == (500, message)

    async def test_an_unknown_channel(self, client: RawClient) -> None:
        assert (await ask(client, "qscc", "GetChainInfo", "elsewhere"))[2] == "Invalid chain ID, elsewhere"

    async def test_a_call_from_another_chaincode_is_rejected(self, client: RawClient) -> None:
        refused = await refusal(
            client.evaluate("call", "qscc", "GetChainInfo", client.channel_id, chaincode="probing")
        )
        assert "Rejecting invoke of QSCC from another chaincode" in refused.text

    async def test_it_is_evaluated_through_the_gateway_too(self, client: RawClient) -> None:
        result = await client.evaluate("GetChainInfo", client.channel_id, chaincode="qscc")
        assert ledger_pb2.BlockchainInfo.FromString(result.payload).height == 1


class TestCscc:
    async def test_the_channels(self, client: RawClient) -> None:
        _, payload, _ = await ask(client, "cscc", "GetChannels")
        channels = query_pb2.ChannelQueryResponse.FromString(payload).channels
        assert [channel.channel_id for channel in channels] == [client.channel_id]

    async def test_the_channels_without_a_channel_as_fabrics_tools_ask(self, client: RawClient) -> None:
        signed = client.proposal("GetChannels", chaincode="cscc", channel_id="")
        response = await client.endorser.ProcessProposal(signed)
        assert response.response.status == 200
        assert not response.HasField("endorsement")

    async def test_the_channels_are_for_the_peers_own_organisation(
        self, network: Network, client: RawClient
    ) -> None:
        elsewhere = await network.client(1, user=client.user)
        status, _, text = await ask(elsewhere, "cscc", "GetChannels")
        assert status == 500
        assert text.startswith("access denied for [GetChannels]: ")

    async def test_the_config_block(self, client: RawClient) -> None:
        await client.transact("put", "key", "value")
        _, payload, _ = await ask(client, "cscc", "GetConfigBlock", client.channel_id)
        assert common_pb2.Block.FromString(payload).header.number == 0

    async def test_the_configuration(self, network: Network, client: RawClient) -> None:
        _, payload, _ = await ask(client, "cscc", "GetChannelConfig", client.channel_id)
        config = from_config(client.channel_id, configtx_pb2.Config.FromString(payload))
        assert config.application_orgs == tuple(sorted(network.msp_ids))

    async def test_a_call_from_another_chaincode_is_rejected(self, client: RawClient) -> None:
        refused = await refusal(
            client.evaluate("call", "cscc", "GetChannelConfig", client.channel_id, chaincode="probing")
        )
        assert refused.text.endswith(
            "Rejecting invoke of CSCC from another chaincode, original invocation for 'probing'"
        )

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            ([], "Incorrect number of arguments, 0"),
            (["GetConfigBlock"], "Incorrect number of arguments, 1"),
            (["Something", "x"], "Requested function Something not found."),
            (["GetChannelConfig", ""], "empty channel name provided"),
            (
                ["GetConfigBlock", "elsewhere"],
                "access denied for [GetConfigBlock][elsewhere]: Failed to get policy manager for channel [elsewhere]",
            ),
            (["JoinChain", "block"], "the embedded ledger's members have one channel and join no other"),
        ],
    )
    async def test_what_it_refuses(self, client: RawClient, args: list[str], message: str) -> None:
        assert await ask(client, "cscc", *args) == (500, b"", message)


class TestLifecycle:
    async def ask(self, client: RawClient, function: str, message: object = b"") -> tuple[int, bytes, str]:
        data = message if isinstance(message, bytes) else message.SerializeToString()
        return await ask(client, "_lifecycle", function, data)

    async def test_a_definition_and_who_approved(self, network: Network, client: RawClient) -> None:
        _, payload, _ = await self.ask(
            client, "QueryChaincodeDefinition", lifecycle_pb2.QueryChaincodeDefinitionArgs(name="basic")
        )
        found = lifecycle_pb2.QueryChaincodeDefinitionResult.FromString(payload)
        assert (found.version, found.sequence, found.endorsement_plugin) == ("1.0", 1, "escc")
        assert dict(found.approvals) == dict.fromkeys(network.msp_ids, True)

    async def test_a_chaincode_learns_from_it_who_the_members_are(
        self, network: Network, client: RawClient
    ) -> None:
        query = lifecycle_pb2.QueryChaincodeDefinitionArgs(name="basic").SerializeToString().decode()
        result = await client.evaluate(
            "call", "_lifecycle", "QueryChaincodeDefinition", query, chaincode="probing"
        )
        found = lifecycle_pb2.QueryChaincodeDefinitionResult.FromString(result.payload)
        assert set(found.approvals) == set(network.msp_ids)

    async def test_an_unknown_definition_is_not_found(self, client: RawClient) -> None:
        query = lifecycle_pb2.QueryChaincodeDefinitionArgs(name="nothing")
        assert await self.ask(client, "QueryChaincodeDefinition", query) == (
            404,
            b"",
            "namespace nothing is not defined",
        )

    async def test_all_definitions(self, client: RawClient) -> None:
        _, payload, _ = await self.ask(client, "QueryChaincodeDefinitions")
        found = lifecycle_pb2.QueryChaincodeDefinitionsResult.FromString(payload)
        assert [each.name for each in found.chaincode_definitions] == ["basic", "probing"]

    async def test_what_is_installed_is_for_admins(self, network: Network, client: RawClient) -> None:
        status, _, text = await self.ask(client, "QueryInstalledChaincodes")
        assert status == 500
        assert text.startswith("Failed to authorize invocation due to failed ACL check: ")
        admin = await network.client(user=network.user(0, "admin"))
        _, payload, _ = await self.ask(admin, "QueryInstalledChaincodes")
        found = lifecycle_pb2.QueryInstalledChaincodesResult.FromString(payload)
        assert [each.label for each in found.installed_chaincodes] == ["basic_1.0", "probing_1.0"]

    async def test_readiness_of_the_next_sequence(self, network: Network, client: RawClient) -> None:
        args = lifecycle_pb2.CheckCommitReadinessArgs
        _, payload, _ = await self.ask(client, "CheckCommitReadiness", args(name="basic", sequence=2))
        found = lifecycle_pb2.CheckCommitReadinessResult.FromString(payload)
        assert dict(found.approvals) == dict.fromkeys(network.msp_ids, False)
        _, _, text = await self.ask(client, "CheckCommitReadiness", args(name="basic", sequence=1))
        assert text.endswith("requested sequence is 1, but new definition must be sequence 2")

    async def test_only_the_configurations_own_definition_can_be_committed(self, client: RawClient) -> None:
        args = lifecycle_pb2.CommitChaincodeDefinitionArgs
        for other in (
            args(name="basic", version="1.1", sequence=1),
            args(name="basic", version="1.0", sequence=2),
            args(name="basic", version="1.0", sequence=1, init_required=True),
            args(name="basic", version="1.0", sequence=1, validation_parameter=b"x"),
        ):
            status, _, text = await self.ask(client, "CommitChaincodeDefinition", other)
            assert status == 500
            assert text.endswith("which has another one of basic: version 1.0, sequence 1")
        status, _, _ = await self.ask(
            client, "CommitChaincodeDefinition", args(name="basic", version="1.0", sequence=1)
        )
        assert status == 200
        status, _, text = await self.ask(client, "CommitChaincodeDefinition", args(name="nothing"))
        assert (status, text) == (404, "namespace nothing is not defined")

    async def test_nothing_is_installed_or_approved(self, network: Network) -> None:
        admin = await network.client(user=network.user(0, "admin"))
        status, _, text = await self.ask(admin, "ApproveChaincodeDefinitionForMyOrg")
        assert status == 500
        assert text.endswith("the embedded ledger takes its chaincode definitions from its configuration")

    async def test_an_unknown_function(self, client: RawClient) -> None:
        assert (await self.ask(client, "Something"))[2] == (
            "Failed to authorize invocation due to failed ACL check: Unmapped policy for _lifecycle/Something"
        )
