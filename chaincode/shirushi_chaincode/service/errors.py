"""What can go wrong between a chaincode service and its peers.

ShirushiError
 └─ ServiceError
     ├─ PeerError            the peer answered a call of the contract with ERROR; the text is the peer's
     ├─ ProposalEndedError   the contract called the ledger after its proposal had been answered or given up
     ├─ StreamError          a peer's stream broke, or its messages do not keep to the shim protocol
     ├─ SettingsError        an option or environment variable is missing or wrong
     └─ AddressError         an address cannot be served
"""

from __future__ import annotations

from shirushi_core.errors import ShirushiError


class ServiceError(ShirushiError):
    """Base of what a chaincode service raises."""


class PeerError(ServiceError):
    """The peer answered a call with ERROR. call: the type of the call, as in ChaincodeMessage.Type."""

    def __init__(self, call: str, text: str) -> None:
        super().__init__(text or f"the peer refused {call} without a reason")
        self.call = call


class ProposalEndedError(ServiceError):
    """A call on the ledger for a proposal that has been answered or given up."""


class StreamError(ServiceError):
    """A peer's stream that broke, or a message on it that the shim protocol does not allow."""


class SettingsError(ServiceError):
    """An option or environment variable that is missing or wrong."""


class AddressError(ServiceError):
    """An address that cannot be served."""
