"""The gateway client for programs without asyncio: the same names, no `await`, and a plain grpc.Channel.

    with grpc.secure_channel(address, credentials) as channel:
        with connect(channel, Identity("Org1MSP", certificate_pem), signer) as gateway:
            contract = gateway.get_network("mychannel").get_contract("basic")
            print(contract.submit_transaction("CreateAsset", "asset1", "blue"))

It is a face over the asynchronous client, which runs in one background thread per gateway. Identities, signers,
hashes, options, values and errors are those of `shirushi_client.gateway`.
"""

from shirushi_client.gateway import (
    CallOptions,
    ChaincodeEvent,
    Checkpoint,
    CheckpointError,
    CommitError,
    CommitStatusError,
    EndorseError,
    ErrorDetail,
    GatewayClosedError,
    GatewayError,
    Hash,
    Identity,
    NoSignerError,
    Signer,
    SigningError,
    Status,
    StatusCode,
    StreamEndedError,
    SubmitError,
    hashes,
    signers,
)
from shirushi_client.gateway.sync.checkpointers import Checkpointer, FileCheckpointer, InMemoryCheckpointer
from shirushi_client.gateway.sync.contract import Contract
from shirushi_client.gateway.sync.event_stream import EventStream
from shirushi_client.gateway.sync.gateway import Gateway, connect
from shirushi_client.gateway.sync.network import Network
from shirushi_client.gateway.sync.signables import (
    BlockAndPrivateDataEventsRequest,
    BlockEventsRequest,
    ChaincodeEventsRequest,
    Commit,
    FilteredBlockEventsRequest,
    Proposal,
    SubmittedTransaction,
    Transaction,
)

__all__ = [
    "BlockAndPrivateDataEventsRequest",
    "BlockEventsRequest",
    "CallOptions",
    "ChaincodeEvent",
    "ChaincodeEventsRequest",
    "Checkpoint",
    "CheckpointError",
    "Checkpointer",
    "Commit",
    "CommitError",
    "CommitStatusError",
    "Contract",
    "EndorseError",
    "ErrorDetail",
    "EventStream",
    "FileCheckpointer",
    "FilteredBlockEventsRequest",
    "Gateway",
    "GatewayClosedError",
    "GatewayError",
    "Hash",
    "Identity",
    "InMemoryCheckpointer",
    "Network",
    "NoSignerError",
    "Proposal",
    "Signer",
    "SigningError",
    "Status",
    "StatusCode",
    "StreamEndedError",
    "SubmitError",
    "SubmittedTransaction",
    "Transaction",
    "connect",
    "hashes",
    "signers",
]
