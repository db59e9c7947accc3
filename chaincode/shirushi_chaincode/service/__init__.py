"""Chaincode as a service: runs a chaincode for the Fabric peers that dial it.

`python -m shirushi_chaincode.service` serves one from the command line; ChaincodeServer does from a program.
"""

from shirushi_chaincode.service.errors import (
    AddressError,
    PeerError,
    ProposalEndedError,
    ServiceError,
    SettingsError,
    StreamError,
)
from shirushi_chaincode.service.metrics import Metrics
from shirushi_chaincode.service.operations import OperationsServer
from shirushi_chaincode.service.server import ChaincodeServer, Tls
from shirushi_chaincode.service.stream import Limits
from shirushi_chaincode.service.stub import ShimStub

__all__ = [
    "AddressError",
    "ChaincodeServer",
    "Limits",
    "Metrics",
    "OperationsServer",
    "PeerError",
    "ProposalEndedError",
    "ServiceError",
    "SettingsError",
    "ShimStub",
    "StreamError",
    "Tls",
]
