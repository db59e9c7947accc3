"""What a simulated transaction needs endorsed: its chaincodes, and the keys that have policies of their own.

Source: core/endorser/endorser.go (buildChaincodeInterest).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fabric_protos.common import policies_pb2
from fabric_protos.peer import proposal_response_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.rwset import NamespaceRwSet
from shirushi_node.ledger.proposals import SYSTEM_CHAINCODES


def chaincode_interest(
    rw_sets: Sequence[NamespaceRwSet], written: Mapping[str, Mapping[str, bytes]]
) -> proposal_response_pb2.ChaincodeInterest:
    """Return one call for each chaincode whose state was touched; `written` is Simulator.written_policies().

    A chaincode whose writes are all to keys with a policy of their own needs these policies only; one that was merely
    read needs its own. Raises InvalidInputError for a key policy that is none.
    """
    interest = proposal_response_pb2.ChaincodeInterest()
    for name in (rw_set.namespace for rw_set in rw_sets if _is_endorsed(rw_set)):
        policies = written.get(name, {}).values()
        own = [_policy(name, policy) for policy in policies if policy]
        interest.chaincodes.add(
            name=name,
            key_policies=own,
            disregard_namespace_policy=bool(own) and len(own) == len(policies),
        )
    return interest


def _is_endorsed(rw_set: NamespaceRwSet) -> bool:
    """Say whether a namespace's own policy counts: of system chaincodes only the lifecycle writes."""
    return rw_set.namespace not in SYSTEM_CHAINCODES or bool(rw_set.writes)


def _policy(name: str, policy: bytes) -> policies_pb2.SignaturePolicyEnvelope:
    try:
        return policies_pb2.SignaturePolicyEnvelope.FromString(policy)
    except DecodeError:
        raise InvalidInputError(f"a key of {name} has an endorsement policy that is none") from None
