"""One member's endorser: checks a proposal, has it simulated, and signs the outcome (protos.Endorser).

What is shared between members, and what is not. A chaincode that runs in this process is one deterministic object over
one ledger: whichever member's peer ran it, the outcome would be the same bytes. So such a proposal is simulated once per
ledger height, by the first member that is asked, and every further member signs that outcome with its own key. A
chaincode with a server of its own for each member is called for each member that endorses, and its answers may differ.
A chaincode of this process that is not deterministic is therefore not found out here, as it would be by Fabric's peers.
Source: core/endorser/endorser.go.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from fabric_protos.peer import proposal_pb2, proposal_response_pb2

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.chaincode import ERROR, ERROR_THRESHOLD
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.proposal import Proposal, response_payload
from shirushi_core.fabric.rwset import encode
from shirushi_node.ledger.chaincodes import Chaincodes, not_defined
from shirushi_node.ledger.interest import chaincode_interest
from shirushi_node.ledger.invocation import Invocation, InvocationError, Transaction
from shirushi_node.ledger.ledger import Channel
from shirushi_node.ledger.proposals import (
    REMEMBERED_BYTES,
    SYSTEM_CHAINCODES,
    CheckedProposal,
    ProposalChecker,
)
from shirushi_node.ledger.simulator import Simulator
from shirushi_node.ledger.store import StoreError

REMEMBERED_SIMULATIONS = 512
"""Simulations kept for the members that endorse after the first: as many as proposals are remembered."""

_WITHOUT_SIMULATOR = frozenset({"cscc", "qscc"})


@dataclass(frozen=True, slots=True)
class Simulation:
    """What running a proposal gave: the response, and the payload that endorsers sign."""

    response: proposal_response_pb2.Response
    payload: bytes
    interest: proposal_response_pb2.ChaincodeInterest


class Simulations:
    """Simulates proposals on a channel for all of its members."""

    def __init__(self, channel: Channel, chaincodes: Chaincodes) -> None:
        self._channel = channel
        self._chaincodes = chaincodes
        self._shared: OrderedDict[tuple[bytes, bytes], tuple[int, Simulation]] = OrderedDict()

    async def simulate(self, checked: CheckedProposal, msp_id: str) -> Simulation:
        """Run a proposal as one member's peer; raises InvocationError with the text of Fabric's endorser."""
        key = (checked.signed.proposal_bytes, checked.signed.signature)
        known = self._shared.get(key)
        if known is not None and known[0] == self._channel.store.height:
            return known[1]
        proposal = checked.proposal
        version = self._chaincodes.version(proposal.chaincode_name)
        if version is None:
            raise InvocationError(not_defined(proposal.chaincode_name, proposal.channel_id))
        if not proposal.channel_id or proposal.chaincode_name in _WITHOUT_SIMULATOR:
            return await self._run(Transaction(checked, msp_id, None), version)
        with self._channel.store.snapshot() as snapshot:
            simulator = Simulator(snapshot, proposal.tx_id)
            transaction = Transaction(checked, msp_id, simulator)
            try:
                simulation = await self._run(transaction, version)
            finally:
                simulator.close()
            if self._chaincodes.run_in_process(transaction.chaincodes):
                self._share(key, snapshot.height, simulation)
            return simulation

    def _share(self, key: tuple[bytes, bytes], height: int, simulation: Simulation) -> None:
        if len(key[0]) + len(simulation.payload) > REMEMBERED_BYTES:
            return
        self._shared[key] = (height, simulation)
        if len(self._shared) > REMEMBERED_SIMULATIONS:
            self._shared.popitem(last=False)

    async def _run(self, transaction: Transaction, version: str) -> Simulation:
        proposal = transaction.checked.proposal
        invocation = Invocation(transaction, proposal.chaincode_name, proposal.args, proposal.is_init)
        simulator = transaction.simulator
        try:
            completion = await self._chaincodes.execute(invocation)
            rw_sets = () if simulator is None else simulator.results()
            interest = chaincode_interest(rw_sets, {} if simulator is None else simulator.written_policies())
        except (InvocationError, InvalidInputError) as error:
            raise InvocationError(f"error in simulation: {error}") from None
        answer = completion.response
        is_error = answer.status >= ERROR_THRESHOLD
        response = proposal_response_pb2.Response(
            status=answer.status, message=answer.message, payload=answer.payload
        )
        event = b"" if completion.event is None or is_error else completion.event.SerializeToString()
        return Simulation(
            response=response,
            payload=response_payload(
                proposal,
                response=response,
                results=b"" if simulator is None else encode(rw_sets),
                event=event,
                chaincode_version=version,
            ),
            interest=interest,
        )


class Endorser:
    """Endorses proposals in the name of one member."""

    def __init__(
        self,
        msp_id: str,
        identity: SigningIdentity,
        channel: Channel,
        checker: ProposalChecker,
        simulations: Simulations,
    ) -> None:
        self._msp_id = msp_id
        self._sign: Callable[[bytes], bytes] = identity.sign
        self._serialized = identity.identity.serialized
        self._channel = channel
        self._checker = checker
        self._simulations = simulations

    async def process_proposal(
        self, signed: proposal_pb2.SignedProposal
    ) -> proposal_response_pb2.ProposalResponse:
        """Check, simulate and endorse; raises ProposalFilteredError, or ProposalRefusedError for the proposal itself.

        Trouble in running it is a response with status 500 and no payload, an error of the chaincode one with its
        status: neither is endorsed.
        """
        proposal = self._checker.parse(signed)
        if proposal.channel_id not in ("", self._channel.name):
            return _unendorsed(f"channel '{proposal.channel_id}' not found")
        checked = self._checker.check(
            signed, proposal, only_msp=None if proposal.channel_id else self._msp_id
        )
        if not proposal.channel_id and proposal.chaincode_name not in SYSTEM_CHAINCODES:
            return _unendorsed(not_defined(proposal.chaincode_name, ""))
        try:
            simulation = await self._simulations.simulate(checked, self._msp_id)
        except (InvocationError, StoreError) as error:
            return _unendorsed(str(error))
        return self._answer(proposal, simulation)

    def _answer(self, proposal: Proposal, simulation: Simulation) -> proposal_response_pb2.ProposalResponse:
        response = simulation.response
        if response.status >= ERROR:
            return proposal_response_pb2.ProposalResponse(
                response=response, payload=simulation.payload, interest=simulation.interest
            )
        if not proposal.channel_id or response.status >= ERROR_THRESHOLD:
            return proposal_response_pb2.ProposalResponse(response=response)
        return proposal_response_pb2.ProposalResponse(
            version=1,
            response=response,
            payload=simulation.payload,
            endorsement=proposal_response_pb2.Endorsement(
                endorser=self._serialized, signature=self._sign(simulation.payload + self._serialized)
            ),
            interest=simulation.interest,
        )


def _unendorsed(message: str) -> proposal_response_pb2.ProposalResponse:
    return proposal_response_pb2.ProposalResponse(
        response=proposal_response_pb2.Response(status=ERROR, message=message)
    )
