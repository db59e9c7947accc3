"""Who may do what: the channel's policies over the signer of a request, with Fabric's texts.

Source: core/aclmgmt (default access control lists), core/policy/policy.go.
"""

from __future__ import annotations

from datetime import datetime

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.channel_config import ChannelConfig
from shirushi_core.fabric.identity import Identity
from shirushi_core.fabric.msp import IdentityError, Role, ValidIdentity
from shirushi_core.fabric.policy import PolicyError, SignedData, evaluate_signed_data
from shirushi_node.ledger.clock import IGNORING_EXPIRY

READERS = "/Channel/Application/Readers"
WRITERS = "/Channel/Application/Writers"


class AccessDeniedError(ShirushiError):
    """A request whose signer the policy for it does not admit."""


def check_signed_data(config: ChannelConfig, channel_id: str, policy: str, signed: SignedData) -> None:
    """Check a signature and the channel policy at a path; raises AccessDeniedError.

    As in Fabric policies do not look at certificates' expiry: whoever has to, does so before.
    """
    if not channel_id:
        raise AccessDeniedError(
            "Invalid channel ID name during check policy on signed data. Name must be different from nil."
        )
    if channel_id != config.channel_id:
        raise AccessDeniedError(f"Failed to get policy manager for channel [{channel_id}]")
    try:
        evaluate_signed_data(config.policies.get(policy), [signed], config.msps, IGNORING_EXPIRY)
    except PolicyError as error:
        raise _denied(channel_id, policy, error) from None


def check_identity(config: ChannelConfig, channel_id: str, policy: str, identity: ValidIdentity) -> None:
    """Check the channel policy at a path for an identity whose signature was verified; raises AccessDeniedError."""
    if channel_id != config.channel_id:
        raise AccessDeniedError(f"Failed to get policy manager for channel [{channel_id}]")
    try:
        config.policies.get(policy).evaluate([identity])
    except PolicyError as error:
        raise _denied(channel_id, policy, error) from None


def check_local(config: ChannelConfig, msp_id: str, role: Role, creator: bytes, at: datetime) -> None:
    """Check that a creator is of one member's own MSP, in a role there (MEMBER, ADMIN); raises AccessDeniedError."""
    policy = {Role.MEMBER: "Members", Role.ADMIN: "Admins"}[role]
    where = f"during channelless check policy with policy [{policy}]"
    try:
        claimed = Identity.from_serialized(creator)
        if claimed.msp_id != msp_id:
            raise IdentityError(f"expected MSP ID {msp_id}, received {claimed.msp_id}")
        identity = config.msps.validate(creator, at)
    except (IdentityError, InvalidInputError) as error:
        raise AccessDeniedError(f"Failed deserializing proposal creator {where}: [{error}]") from None
    if role not in identity.roles:
        raise AccessDeniedError(
            f"Failed verifying that proposal's creator satisfies local MSP principal {where}: "
            f"[The identity is not {'an admin' if role is Role.ADMIN else 'a member'} under this MSP [{msp_id}]: "
            f"The identity does not contain OU [{role.name}], MSP: [{msp_id}]]"
        )


def _denied(channel_id: str, policy: str, error: PolicyError) -> AccessDeniedError:
    return AccessDeniedError(
        f"Failed evaluating policy on signed data during check policy on channel [{channel_id}] "
        f"with policy [{policy}]: [{error}]"
    )
