"""What a channel's configuration must fulfil before its orderers see it.

BFT orderers refuse a wrong BlockValidation policy, but they order SmartBFT options or consenters that they cannot run
with, and then halt: all this is checked here first. Source: orderer/consensus/smartbft/{configverifier,util}.go,
SmartBFT's Configuration.Validate, common/channelconfig.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fabric_protos.common import configtx_pb2, configuration_pb2, policies_pb2
from fabric_protos.orderer import configuration_pb2 as orderer_pb2
from fabric_protos.orderer.smartbft import configuration_pb2 as smartbft_pb2
from fabric_protos.peer import configuration_pb2 as peer_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.certificate import Certificate, read_certificate
from shirushi_core.fabric.certificate_chain import load_authority
from shirushi_core.fabric.channel_config import ChannelConfig, parse_duration, read_config
from shirushi_core.fabric.config_groups import encoded, quorum_policy
from shirushi_core.fabric.identity import Identity
from shirushi_core.fabric.messages import parse
from shirushi_core.fabric.msp import IdentityError, Msp

LEAST_BATCH_BYTES = 10 * 1024
"""SmartBFT does not start with batches of fewer bytes than its default RequestMaxBytes."""

_DURATIONS = (
    "request_batch_max_interval",
    "request_forward_timeout",
    "request_complain_timeout",
    "request_auto_remove_timeout",
    "view_change_resend_interval",
    "view_change_timeout",
    "leader_heartbeat_timeout",
    "collect_timeout",
)
_NUMBERS = ("incoming_message_buffer_size", "request_pool_size", "leader_heartbeat_count")
_ORDERED = (
    ("request_forward_timeout", "request_complain_timeout"),
    ("request_complain_timeout", "request_auto_remove_timeout"),
    ("view_change_resend_interval", "view_change_timeout"),
)


def check_group(group: configtx_pb2.ConfigGroup, before: configtx_pb2.ConfigGroup | None = None) -> None:
    """Refuse a configuration that BFT orderers would refuse, or would halt with; raises InvalidInputError.

    What is wrong with one member's own part in the configuration `before` is left to that member: it does not keep others from
    changing theirs. Expiry is not looked at, for this knows no clock.
    """
    config = read_config("", configtx_pb2.Config(channel_group=group))
    _check_distinct(read_consenters(group))
    known = {} if before is None else member_problems(before)
    for place, problem in member_problems(group).items():
        if known.get(place) != problem:
            raise InvalidInputError(problem)
    if config.consensus_type != "BFT":
        raise InvalidInputError(f"the consensus type is {config.consensus_type!r}; expected BFT")
    if not has_quorum_policy(group):
        raise InvalidInputError(
            "the BlockValidation policy is not the quorum of the consenters, which BFT orderers require"
        )
    _check_options(group, config)


def member_problems(group: configtx_pb2.ConfigGroup) -> dict[str, str]:
    """Return what is wrong with one member's part each: place → problem; raises InvalidInputError for what is everybody's."""
    config = read_config("", configtx_pb2.Config(channel_group=group))
    found = dict(config.unreadable)
    for name, organisation in group.groups["Application"].groups.items():
        if "AnchorPeers" not in organisation.values:
            continue
        try:
            parse(peer_pb2.AnchorPeers, organisation.values["AnchorPeers"].value)
        except DecodeError:
            found[f"anchor peers of {name}"] = f"the value AnchorPeers of {name} is no AnchorPeers message"
    for consenter in read_consenters(group):
        if consenter.msp_id in config.msps.unreadable:
            continue
        try:
            _check_consenter(consenter, config)
        except InvalidInputError as error:
            found[f"consenter {consenter.id}"] = str(error)
    return found


def read_consenters(group: configtx_pb2.ConfigGroup) -> list[configuration_pb2.Consenter]:
    """Return the consenters of a channel's root group in their order; raises InvalidInputError."""
    orderer = group.groups["Orderer"] if "Orderer" in group.groups else configtx_pb2.ConfigGroup()
    if "Orderers" not in orderer.values:
        return []
    try:
        return list(configuration_pb2.Orderers.FromString(orderer.values["Orderers"].value).consenter_mapping)
    except DecodeError:
        raise InvalidInputError("the value Orderers is no Orderers message") from None


def has_quorum_policy(group: configtx_pb2.ConfigGroup) -> bool:
    """Say whether BlockValidation is exactly the quorum of the consenters; raises InvalidInputError."""
    expected = policies_pb2.Policy(
        type=policies_pb2.Policy.SIGNATURE, value=encoded(quorum_policy(read_consenters(group)))
    )
    policies = group.groups["Orderer"].policies if "Orderer" in group.groups else {}
    return "BlockValidation" in policies and policies["BlockValidation"].policy == expected


def _check_distinct(consenters: Sequence[configuration_pb2.Consenter]) -> None:
    if not consenters:
        raise InvalidInputError("no consenter is left: a channel needs at least one orderer")
    for what, values in (
        ("id", [str(each.id) for each in consenters]),
        ("address", [f"{each.host}:{each.port}" for each in consenters]),
        ("public key", [_public_key(each) for each in consenters]),
    ):
        for position, value in enumerate(values):
            first = values.index(value)
            if first < position:
                raise InvalidInputError(
                    f"the orderers of {consenters[first].msp_id} and {consenters[position].msp_id} have the same {what} "
                    f"{value}"
                )
    if any(each.id == 0 for each in consenters):
        raise InvalidInputError("a consenter has the id 0; expected 1 or more")


def _public_key(consenter: configuration_pb2.Consenter) -> str:
    try:
        return read_certificate(consenter.identity).public_key_info.hex()
    except InvalidInputError as error:
        raise InvalidInputError(f"{_named(consenter)}: the identity certificate: {error}") from None


def _check_consenter(consenter: configuration_pb2.Consenter, config: ChannelConfig) -> None:
    name = _named(consenter)
    msp = config.msps.msps.get(consenter.msp_id)
    if msp is None or consenter.msp_id not in config.orderer_orgs:
        raise InvalidInputError(f"{name}: its member is not among the orderer organisations")
    try:
        msp.accept(Identity(consenter.msp_id, consenter.identity))
    except IdentityError as error:
        raise InvalidInputError(
            f"{name}: its MSP would not accept its identity certificate: {error}"
        ) from None
    for use, pem in (("server", consenter.server_tls_cert), ("client", consenter.client_tls_cert)):
        try:
            issued = _from_tls_authority(msp, read_certificate(pem))
        except InvalidInputError as error:
            raise InvalidInputError(f"{name}: the TLS {use} certificate: {error}") from None
        if not issued:
            raise InvalidInputError(
                f"{name}: the TLS {use} certificate does not come from its member's TLS CA, which other orderers go by"
            )


def _from_tls_authority(msp: Msp, certificate: Certificate) -> bool:
    """Say whether one of an MSP's TLS CAs issued a certificate; orderers take intermediates as roots too."""
    authorities = (*msp.tls_root_certificates, *msp.tls_intermediate_certificates)
    return any(load_authority(pem, is_root=True).issued(certificate) for pem in authorities)


def _check_options(group: configtx_pb2.ConfigGroup, config: ChannelConfig) -> None:
    consensus = orderer_pb2.ConsensusType.FromString(group.groups["Orderer"].values["ConsensusType"].value)
    try:
        options = smartbft_pb2.Options.FromString(consensus.metadata)
    except DecodeError:
        raise InvalidInputError("the consensus metadata are no SmartBFT options") from None
    for problem in _problems(options, config):
        raise InvalidInputError(f"SmartBFT could not run with these options: {problem}")


def _problems(options: smartbft_pb2.Options, config: ChannelConfig) -> Iterator[str]:
    seconds = {}
    for name in _DURATIONS:
        try:
            seconds[name] = parse_duration(getattr(options, name))
        except InvalidInputError as error:
            yield f"{name}: {error}"
            return
    for name in _NUMBERS:
        if not getattr(options, name):
            yield f"{name} is 0"
    for shorter, longer in _ORDERED:
        if seconds[shorter] > seconds[longer]:
            yield f"{shorter} is longer than {longer}"
    batch = config.batch
    if batch.absolute_max_bytes < LEAST_BATCH_BYTES:
        yield f"a batch of at most {batch.absolute_max_bytes} bytes; expected {LEAST_BATCH_BYTES} or more"
    if batch.max_message_count > batch.absolute_max_bytes:
        yield f"a batch of {batch.max_message_count} messages in {batch.absolute_max_bytes} bytes"
    if options.request_max_bytes > batch.absolute_max_bytes:
        yield "request_max_bytes is more than a batch may hold"
    if options.leader_rotation == smartbft_pb2.Options.ROTATION_ON:
        yield "leader rotation is on, which Fabric does not support"


def _named(consenter: configuration_pb2.Consenter) -> str:
    return (
        f"consenter {consenter.id} (the orderer of {consenter.msp_id} at {consenter.host}:{consenter.port})"
    )
