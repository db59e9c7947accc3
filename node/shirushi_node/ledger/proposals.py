"""What every member's endorser checks of a proposal before it runs anything.

The answers depend on the proposal, the channel's configuration and the ledger only, all of which the embedded members
share; so a proposal that several members endorse is taken apart and its signature verified once.
Source: core/endorser/msgvalidation.go, core/endorser/endorser.go (preProcess).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

from fabric_protos.peer import proposal_pb2

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.channel_config import ChannelConfig
from shirushi_core.fabric.identity import Identity
from shirushi_core.fabric.msp import IdentityError, UnknownAuthorityError, ValidIdentity
from shirushi_core.fabric.proposal import Proposal, ProposalError, parse_signed_proposal
from shirushi_core.fabric.signing import SignatureError
from shirushi_node.ledger.access import WRITERS, AccessDeniedError, check_identity
from shirushi_node.ledger.clock import Clock
from shirushi_node.ledger.ledger import Channel
from shirushi_node.ledger.proposal_filters import check_form, check_sender

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

    def __init__(self, channel: Channel, clock: Clock, time_window: float) -> None:
        """Take over what it judges by; `time_window` is how far off the clock a proposal may be, in seconds."""
        self._channel = channel
        self._clock = clock
        self._window = timedelta(seconds=time_window)
        self._writers: OrderedDict[bytes, ChannelConfig] = OrderedDict()
        self._checked: OrderedDict[tuple[bytes, bytes], tuple[ChannelConfig, CheckedProposal]] = OrderedDict()

    def parse(self, signed: proposal_pb2.SignedProposal) -> Proposal:
        """Take a signed proposal apart, and see whether peers' filters let it pass.

        Raises ProposalFilteredError, or ProposalRefusedError with the text of Fabric's endorser.
        """
        now = self._clock()
        known = self._checked.get((signed.proposal_bytes, signed.signature))
        try:
            proposal = parse_signed_proposal(signed) if known is None else known[1].proposal
        except ProposalError as error:
            check_form(signed, now, self._window)
            text = str(error)
            prefix = "error validating proposal: " if text.startswith(_HEADER_CHECKS) else ""
            raise ProposalRefusedError(prefix + text) from None
        seconds, nanos = proposal.timestamp_seconds, proposal.timestamp_nanos
        check_sender(proposal.creator, seconds, nanos, now, self._window)
        return proposal

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
        malformed = ProposalRefusedError(
            f"error validating proposal: access denied: channel [{proposal.channel_id}] "
            "creator org unknown, creator is malformed"
        )
        try:
            claimed = Identity.from_serialized(proposal.creator)
            _ = claimed.certificate
        except InvalidInputError:
            raise malformed from None
        if claimed.msp_id not in config.msps.msps or only_msp not in (None, claimed.msp_id):
            raise malformed
        try:
            return config.msps.validate(proposal.creator, self._clock())
        except UnknownAuthorityError:
            raise malformed from None
        except (IdentityError, InvalidInputError):
            raise _not_of_creator(proposal, claimed.msp_id) from None


def _not_of_creator(proposal: Proposal, msp_id: str) -> ProposalRefusedError:
    return ProposalRefusedError(
        f"error validating proposal: access denied: channel [{proposal.channel_id}] creator org [{msp_id}]"
    )
