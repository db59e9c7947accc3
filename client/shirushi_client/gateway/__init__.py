"""A client of the Fabric Gateway, usable with any chaincode.

    async with grpc.aio.secure_channel(address, credentials) as channel:
        signer = signers.from_private_key(load_private_key(key_pem))
        async with connect(channel, Identity("Org1MSP", certificate_pem), signer) as gateway:
            contract = gateway.get_network("mychannel").get_contract("basic")
            print(await contract.submit_transaction("CreateAsset", "asset1", "blue"))

`shirushi_client.gateway.sync` has the same names for programs without asyncio.
"""

from shirushi_client.gateway import hashes, signers
from shirushi_client.gateway.block_events import (
    BlockAndPrivateDataEventsRequest,
    BlockEventsRequest,
    FilteredBlockEventsRequest,
)
from shirushi_client.gateway.call_options import CallOptions
from shirushi_client.gateway.chaincode_events import ChaincodeEvent, ChaincodeEventsRequest
from shirushi_client.gateway.checkpoint import Checkpoint
from shirushi_client.gateway.checkpointers import Checkpointer, FileCheckpointer, InMemoryCheckpointer
from shirushi_client.gateway.commit import Commit
from shirushi_client.gateway.contract import Contract
from shirushi_client.gateway.errors import (
    CheckpointError,
    CommitError,
    CommitStatusError,
    EndorseError,
    ErrorDetail,
    GatewayClosedError,
    GatewayError,
    NoSignerError,
    SigningError,
    StreamEndedError,
    SubmitError,
)
from shirushi_client.gateway.event_stream import EventStream
from shirushi_client.gateway.gateway import Gateway, connect
from shirushi_client.gateway.hashes import Hash
from shirushi_client.gateway.identity import Identity
from shirushi_client.gateway.network import Network
from shirushi_client.gateway.proposal import Proposal
from shirushi_client.gateway.signers import Signer
from shirushi_client.gateway.status import Status, StatusCode
from shirushi_client.gateway.submitted_transaction import SubmittedTransaction
from shirushi_client.gateway.transaction import Transaction

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
