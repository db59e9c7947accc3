"""What every member's endorser checks of a proposal before it runs anything.

The answers depend on the proposal, the channel's configuration and the ledger only, all of which the embedded members
share; so a proposal that several members endorse is taken apart and its signature verified once.
Source: core/endorser/msgvalidation.go, core/endorser/endorser.go (preProcess).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from fabric_protos.peer import proposal_pb2

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.channel_config import ChannelConfig
from shirushi_core.fabric.identity import Identity
from shirushi_core.fabric.msp import IdentityError, ValidIdentity
from shirushi_core.fabric.proposal import Proposal, ProposalError, parse_signed_proposal
from shirushi_core.fabric.signing import SignatureError
from shirushi_node.ledger.access import WRITERS, AccessDeniedError, check_identity
from shirushi_node.ledger.clock import Clock
from shirushi_node.ledger.ledger import Channel

SYSTEM_CHAINCODES = frozenset({"_lifecycle", "cscc", "qscc"})

REMEMBERED_PROPOSALS = 512
"""Checked proposals kept: a little over the gateway's concurrency limit."""

REMEMBERED_BYTES = 64 * 1024
"""Larger proposals are checked, and simulated, by each member anew: what is remembered stays small."""

REMEMBERED_WRITERS = 1024
"""Creators kept that a configuration's writers policy admits."""

_HEADER_CHECKS = ("invalid header type", "epoch ", "nonce ", "creator ", "incorrectly computed", "empty ")
"""How the texts begin that Fabric's endorser gives while validating, not while unpacking."""


class ProposalRefusedError(ShirushiError):
    """A proposal that is not run: malformed, not signed by who it says, seen before, or not permitted."""


@dataclass(frozen=True, slots=True)
class CheckedProposal:
    """A proposal whose form and signature hold, and who signed it."""

    signed: proposal_pb2.SignedProposal
    proposal: Proposal
    creator: ValidIdentity


class ProposalChecker:
    """Takes proposals apart and checks them for the members of one channel."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock
        self._writers: OrderedDict[bytes, ChannelConfig] = OrderedDict()
        self._checked: OrderedDict[tuple[bytes, bytes], tuple[ChannelConfig, CheckedProposal]] = OrderedDict()

    def parse(self, signed: proposal_pb2.SignedProposal) -> Proposal:
        """Take a signed proposal apart; raises ProposalRefusedError with the text of Fabric's endorser."""
        known = self._checked.get((signed.proposal_bytes, signed.signature))
        if known is not None:
            return known[1].proposal
        try:
            return parse_signed_proposal(signed)
        except ProposalError as error:
            text = str(error)
            prefix = "error validating proposal: " if text.startswith(_HEADER_CHECKS) else ""
            raise ProposalRefusedError(prefix + text) from None

    def check(
        self, signed: proposal_pb2.SignedProposal, proposal: Proposal, *, only_msp: str | None = None
    ) -> CheckedProposal:
        """Check creator, signature, uniqueness and permission; raises ProposalRefusedError.

        `only_msp` restricts the creator to that MSP: a proposal without a channel is judged by the peer's own.
        """
        checked = self._authenticate(signed, proposal, only_msp)
        if not proposal.channel_id:
            return checked
        if self._channel.store.transaction(proposal.tx_id) is not None:
            raise ProposalRefusedError(
                f"duplicate transaction found [{proposal.tx_id}]. Creator [{proposal.creator.hex()}]"
            )
        if proposal.chaincode_name not in SYSTEM_CHAINCODES:
            self._check_writer(proposal, checked.creator)
        return checked

    def _check_writer(self, proposal: Proposal, creator: ValidIdentity) -> None:
        config = self._channel.config
        if self._writers.get(proposal.creator) is config:
            return
        try:
            check_identity(config, proposal.channel_id, WRITERS, creator)
        except AccessDeniedError as error:
            raise ProposalRefusedError(str(error)) from None
        self._writers[proposal.creator] = config
        if len(self._writers) > REMEMBERED_WRITERS:
            self._writers.popitem(last=False)

    def _authenticate(
        self, signed: proposal_pb2.SignedProposal, proposal: Proposal, only_msp: str | None
    ) -> CheckedProposal:
        config = self._channel.config
        key = (signed.proposal_bytes, signed.signature)
        known = self._checked.get(key)
        if known is not None and known[0] is config and only_msp is None:
            return known[1]
        creator = self._valid_creator(config, proposal, only_msp)
        try:
            creator.verify(signed.signature, signed.proposal_bytes)
        except SignatureError:
            raise _not_of_creator(proposal, creator.msp_id) from None
        checked = CheckedProposal(signed, proposal, creator)
        if len(signed.proposal_bytes) > REMEMBERED_BYTES:
            return checked
        self._checked[key] = (config, checked)
        if len(self._checked) > REMEMBERED_PROPOSALS:
            self._checked.popitem(last=False)
        return checked

    def _valid_creator(
        self, config: ChannelConfig, proposal: Proposal, only_msp: str | None
    ) -> ValidIdentity:
        try:
            claimed = Identity.from_serialized(proposal.creator)
            known = claimed.msp_id in config.msps.msps and only_msp in (None, claimed.msp_id)
            _ = claimed.certificate
        except InvalidInputError:
            known = False
        if not known:
            raise ProposalRefusedError(
                f"error validating proposal: access denied: channel [{proposal.channel_id}] "
                "creator org unknown, creator is malformed"
            )
        try:
            return config.msps.validate(proposal.creator, self._clock())
        except (IdentityError, InvalidInputError):
            raise _not_of_creator(proposal, claimed.msp_id) from None


def _not_of_creator(proposal: Proposal, msp_id: str) -> ProposalRefusedError:
    return ProposalRefusedError(
        f"error validating proposal: access denied: channel [{proposal.channel_id}] creator org [{msp_id}]"
    )
