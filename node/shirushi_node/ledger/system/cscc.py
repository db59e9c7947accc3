"""cscc: which channels a peer has, and their configuration.

Source: core/scc/cscc/configure.go.
"""

from __future__ import annotations

from fabric_protos.peer import query_pb2

from shirushi_core.fabric.chaincode import Response
from shirushi_core.fabric.msp import Role
from shirushi_node.ledger.access import READERS, AccessDeniedError, check_identity, check_local
from shirushi_node.ledger.clock import Clock
from shirushi_node.ledger.invocation import Invocation
from shirushi_node.ledger.ledger import Channel
from shirushi_node.ledger.system import called_by_chaincode, failure, success

_WITHOUT_CHANNEL = ("GetChannels", "JoinBySnapshotStatus")
_JOINING = ("JoinChain", "JoinChainBySnapshot", "JoinBySnapshotStatus")


class ConfigurationChaincode:
    """The system chaincode cscc."""

    name = "cscc"

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock

    def invoke(self, invocation: Invocation) -> Response:
        args = invocation.args
        function = args[0].decode("utf-8", "replace") if args else ""
        if not args or (function not in _WITHOUT_CHANNEL and len(args) < 2):
            return failure(f"Incorrect number of arguments, {len(args)}")
        caller = called_by_chaincode(invocation)
        if caller is not None:
            return failure(
                f"Rejecting invoke of CSCC from another chaincode, original invocation for '{caller}'"
            )
        if function == "GetChannels":
            return self._channels(invocation)
        if function in ("GetConfigBlock", "GetChannelConfig"):
            return self._configuration(invocation, function, args[1].decode("utf-8", "replace"))
        if function in _JOINING:
            return failure("the embedded ledger's members have one channel and join no other")
        return failure(f"Requested function {function} not found.")

    def _channels(self, invocation: Invocation) -> Response:
        transaction = invocation.transaction
        creator = transaction.checked.proposal.creator
        try:
            check_local(self._channel.config, transaction.msp_id, Role.MEMBER, creator, self._clock())
        except AccessDeniedError as error:
            return failure(f"access denied for [GetChannels]: {error}")
        channels = [query_pb2.ChannelInfo(channel_id=self._channel.name)]
        return success(query_pb2.ChannelQueryResponse(channels=channels).SerializeToString())

    def _configuration(self, invocation: Invocation, function: str, channel_id: str) -> Response:
        if not channel_id and function == "GetChannelConfig":
            return failure("empty channel name provided")
        config = self._channel.config
        try:
            check_identity(config, channel_id, READERS, invocation.transaction.checked.creator)
        except AccessDeniedError as error:
            return failure(f"access denied for [{function}][{channel_id}]: {error}")
        if function == "GetChannelConfig":
            return success(config.config.SerializeToString(deterministic=True))
        store = self._channel.store
        return success(store.block_bytes(store.last_config_block) or b"")
