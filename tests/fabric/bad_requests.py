"""Requests that peers and gateways refuse or answer with an error, each by its name."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fabric_protos.common import common_pb2
from fabric_protos.peer import chaincode_pb2, proposal_pb2
from tests.fabric.damages import GARBLED
from tests.fabric.forging import Signer
from tests.support.raw_client import RawClient

from shirushi_core.fabric.proposal import transaction_id

DAY = 86_400.0


@dataclass(frozen=True)
class Proposed:
    """A proposal in the making: what it calls, who proposes it when, and what is done to its messages."""

    args: tuple[str, ...] = ("get", "key")
    chaincode: str = "open"
    channel: str | None = None
    creator: str = "client1"
    later: float = 0.0
    transient: Mapping[str, bytes] | None = None
    changes: tuple[tuple[str, Callable[[Any], None]], ...] = ()

    def signed(self, client: RawClient, cast: Mapping[str, Signer]) -> proposal_pb2.SignedProposal:
        """Return the proposal, signed by its creator over all changes but those of the signature."""
        creator = cast[self.creator]
        sender = RawClient(client.channel_id, creator, client.peer, client.peer)  # type: ignore[arg-type]
        signed = sender.proposal(
            *self.args,
            chaincode=self.chaincode,
            channel_id=self.channel,
            transient=dict(self.transient or {}),
            at=time.time() + self.later,
        )
        proposal = proposal_pb2.Proposal.FromString(signed.proposal_bytes)
        header = common_pb2.Header.FromString(proposal.header)
        channel_header = common_pb2.ChannelHeader.FromString(header.channel_header)
        signature_header = common_pb2.SignatureHeader.FromString(header.signature_header)
        payload = proposal_pb2.ChaincodeProposalPayload.FromString(proposal.payload)
        spec = chaincode_pb2.ChaincodeInvocationSpec.FromString(payload.input)
        self._change("signature header", signature_header)
        channel_header.tx_id = transaction_id(signature_header.nonce, signature_header.creator)
        self._change("channel header", channel_header)
        self._change("spec", spec)
        payload.input = spec.SerializeToString()
        self._change("payload", payload)
        header.channel_header = channel_header.SerializeToString()
        header.signature_header = signature_header.SerializeToString()
        self._change("header", header)
        proposal.header = header.SerializeToString()
        proposal.payload = payload.SerializeToString()
        self._change("proposal", proposal)
        signed.proposal_bytes = proposal.SerializeToString()
        self._change("bytes", signed)
        signed.signature = creator.sign(signed.proposal_bytes)
        self._change("signed", signed)
        return signed

    def _change(self, name: str, message: Any) -> None:
        for where, change in self.changes:
            if where == name:
                change(message)


def _with(where: str, **fields: Any) -> Proposed:
    def change(message: Any) -> None:
        for name, value in fields.items():
            setattr(message, name, value)

    return Proposed(changes=((where, change),))


def _without(where: str, *path: str) -> Proposed:
    def change(message: Any) -> None:
        *parents, last = path
        for name in parents:
            message = getattr(message, name)
        message.ClearField(last)

    return Proposed(changes=((where, change),))


def _named(name: str) -> bytes:
    extension = proposal_pb2.ChaincodeHeaderExtension(chaincode_id=chaincode_pb2.ChaincodeID(name=name))
    return bytes(extension.SerializeToString())


def _asks(chaincode: str, *args: str, **options: Any) -> Proposed:
    return replace(Proposed(args, chaincode), **options)


PROPOSALS: dict[str, Proposed] = {
    "good": Proposed(),
    "garbled": _with("bytes", proposal_bytes=GARBLED),
    "empty": _with("bytes", proposal_bytes=b""),
    "garbled header": _with("proposal", header=GARBLED),
    "no header": _with("proposal", header=b""),
    "garbled payload": _with("proposal", payload=GARBLED),
    "no payload": _with("proposal", payload=b""),
    "garbled channel header": _with("header", channel_header=GARBLED),
    "garbled signature header": _with("header", signature_header=GARBLED),
    "garbled input": _with("payload", input=GARBLED),
    "no input": _with("payload", input=b""),
    "no chaincode spec": _without("spec", "chaincode_spec"),
    "no chaincode id": _without("spec", "chaincode_spec", "chaincode_id"),
    "no chaincode name": _without("spec", "chaincode_spec", "chaincode_id", "name"),
    "no chaincode input": _without("spec", "chaincode_spec", "input"),
    "no arguments": _without("spec", "chaincode_spec", "input", "args"),
    "no extension": _with("channel header", extension=b""),
    "garbled extension": _with("channel header", extension=GARBLED),
    "extension without name": _with("channel header", extension=_named("")),
    "extension of an unknown chaincode": _with("channel header", extension=_named("another")),
    "extension of another chaincode": _with("channel header", extension=_named("strict")),
    "no channel": Proposed(channel=""),
    "unknown channel": Proposed(channel="elsewhere"),
    "unknown chaincode": Proposed(chaincode="another"),
    "epoch": _with("channel header", epoch=1),
    "type of an update": _with("channel header", type=common_pb2.CONFIG_UPDATE),
    "type of a configuration": _with("channel header", type=common_pb2.CONFIG),
    "unknown type": _with("channel header", type=77),
    "another transaction id": _with("channel header", tx_id="another"),
    "no transaction id": _with("channel header", tx_id=""),
    "no nonce": _with("signature header", nonce=b""),
    "no creator": _with("signature header", creator=b""),
    "garbled creator": _with("signature header", creator=GARBLED),
    "no signature": _with("signed", signature=b""),
    "garbled signature": _with("signed", signature=GARBLED),
    "no timestamp": _without("channel header", "timestamp"),
    "of a stranger": Proposed(creator="foreign-client1"),
    "of an unknown MSP": Proposed(creator="nobody"),
    "of an expired client": Proposed(creator="expired-client1"),
    "of another's key": Proposed(creator="forged-peer2"),
    "of a high signature": Proposed(creator="high-s-peer3"),
    "of another member": Proposed(creator="client4"),
    "of an orderer": Proposed(creator="orderer2"),
    "refused by the chaincode": Proposed(args=("fail", "because")),
    "an unknown function": Proposed(args=("nothing",)),
    "an error of the chaincode": Proposed(args=("divide", "1", "0")),
    "too few arguments": Proposed(args=("put", "key")),
    "an empty key": Proposed(args=("put", "", "value")),
    "an unknown function of qscc": _asks("qscc", "Nothing"),
    "qscc without arguments": _asks("qscc", "GetChainInfo"),
    "qscc on another channel": _asks("qscc", "GetChainInfo", "elsewhere"),
    "qscc on no channel": _asks("qscc", "GetChainInfo", ""),
    "a block that is not there": _asks("qscc", "GetBlockByNumber", "CHANNEL", "99999999"),
    "a block number that is none": _asks("qscc", "GetBlockByNumber", "CHANNEL", "x"),
    "a block without number": _asks("qscc", "GetBlockByNumber", "CHANNEL"),
    "a block hash that is not there": _asks("qscc", "GetBlockByHash", "CHANNEL", "x"),
    "a transaction that is not there": _asks("qscc", "GetTransactionByID", "CHANNEL", "x"),
    "a transaction without id": _asks("qscc", "GetTransactionByID", "CHANNEL", ""),
    "a transaction's block that is not there": _asks("qscc", "GetBlockByTxID", "CHANNEL", "x"),
    "qscc of a stranger": _asks("qscc", "GetChainInfo", "CHANNEL", creator="nobody"),
    "an unknown function of cscc": _asks("cscc", "Nothing", "CHANNEL"),
    "cscc without arguments": _asks("cscc", "GetConfigBlock"),
    "cscc on another channel": _asks("cscc", "GetConfigBlock", "elsewhere"),
    "channels, as another member": _asks("cscc", "GetChannels", channel="", creator="client2"),
    "channels": _asks("cscc", "GetChannels", channel=""),
    "an unknown function of the lifecycle": _asks("_lifecycle", "Nothing", ""),
    "the lifecycle without arguments": _asks("_lifecycle", "QueryChaincodeDefinition"),
    "a definition that does not parse": _asks("_lifecycle", "QueryChaincodeDefinition", "\x07\x07"),
    "a definition without name": _asks("_lifecycle", "QueryChaincodeDefinition", ""),
    "a definition that is not there": _asks("_lifecycle", "QueryChaincodeDefinition", "\x0a\x01x"),
    "installed, as a client": _asks("_lifecycle", "QueryInstalledChaincodes", "", channel=""),
    "installed, as another's admin": _asks(
        "_lifecycle", "QueryInstalledChaincodes", "", channel="", creator="admin2"
    ),
}
