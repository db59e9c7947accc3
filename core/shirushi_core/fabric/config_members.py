"""What differs in a channel's members and orderers between two configurations, in sentences for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fabric_protos.common import configtx_pb2, configuration_pb2
from fabric_protos.msp import msp_config_pb2
from fabric_protos.peer import configuration_pb2 as peer_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.block import bft_quorum
from shirushi_core.fabric.config_checks import has_quorum_policy, read_consenters
from shirushi_core.fabric.config_fields import (
    FieldChange,
    change_words,
    decoded,
    field_changes,
    leaves,
    unknown_leaves,
    value_changes,
)
from shirushi_core.fabric.config_groups import (
    application_organisation,
    orderer_organisation,
    set_encoded,
    set_value,
)
from shirushi_core.fabric.config_words import certificate_words, text_words
from shirushi_core.fabric.member_bundle import MemberBundle, OrdererBundle

LEVELS = ("Application", "Orderer")
"""The groups that hold organisations."""

_TLS = ("TLS client certificate", "TLS server certificate")


def joined_sentences(old: configtx_pb2.ConfigGroup, new: configtx_pb2.ConfigGroup) -> Iterator[str]:
    """Say who becomes a member, or an orderer organisation, and with which orderers."""
    for name in _names(new):
        added = [level for level in LEVELS if name in _at(new, level) and name not in _at(old, level)]
        if not added:
            continue
        certificates = _authorities_words(name, _at(new, added[0])[name])
        orderers = _orderers_words(new, name) if "Orderer" in added else ""
        if added[0] == "Application":
            yield f"adds the member {name} ({certificates}){orderers and f' with {orderers}'}"
        elif name in _at(new, "Application"):
            yield f"lets the member {name} run orderers: {orderers}"
        else:
            yield f"adds the orderer organisation {name}, which is no member ({certificates}), with {orderers}"


def left_sentences(old: configtx_pb2.ConfigGroup, new: configtx_pb2.ConfigGroup) -> Iterator[str]:
    """Say who is a member, or an orderer organisation, no more."""
    for name in _names(old):
        gone = [level for level in LEVELS if name in _at(old, level) and name not in _at(new, level)]
        if not gone:
            continue
        certificates = _authorities_words(name, _at(old, gone[0])[name])
        orderers = _orderers_words(old, name) if "Orderer" in gone else ""
        if gone[0] == "Application":
            kept = ", and keeps it among the orderer organisations" if name in _at(new, "Orderer") else ""
            yield f"removes the member {name} ({certificates}){orderers and f' with {orderers}'}{kept}"
        else:
            yield f"removes the orderers of {name}: {orderers}"


def consenter_sentences(old: configtx_pb2.ConfigGroup, new: configtx_pb2.ConfigGroup) -> Iterator[str]:
    """Say which consenters come, go or change; they are told apart by their ids."""
    before, after = _orderers_value(old), _orderers_value(new)
    if before == after:
        return
    old_message, new_message = decoded("Orderers", before), decoded("Orderers", after)
    if old_message is None or new_message is None or not (_distinct(old) and _distinct(new)):
        yield from value_changes("Orderers", before, after, "the consenters")
        return
    was = {each.id: each for each in read_consenters(old)}
    becomes = {each.id: each for each in read_consenters(new)}
    found = [
        *(f"removes {_consenter_words(was[number])}" for number in was if number not in becomes),
        *(f"adds {_consenter_words(becomes[number])}" for number in becomes if number not in was),
        *(
            sentence
            for number in becomes
            if number in was
            for sentence in _changed_consenter(was[number], becomes[number])
        ),
    ]
    kept = [number for number in was if number in becomes]
    if list(becomes) != [*kept, *(number for number in becomes if number not in was)]:
        found.append(f"changes the order of the consenters to {', '.join(map(str, becomes))}")
    for change in field_changes(unknown_leaves(old_message), unknown_leaves(new_message)):
        found += change_words(change, "the consenters")
    yield from found or value_changes("Orderers", before, after, "the consenters")


def quorum_sentences(old: configtx_pb2.ConfigGroup, new: configtx_pb2.ConfigGroup) -> Iterator[str]:
    """Say how many orderers must sign a block, and warn if that is not the quorum of the consenters."""
    policies = [_block_validation(group) for group in (old, new)]
    if policies[0] == policies[1] and _orderers_value(old) == _orderers_value(new):
        return
    if not follows_consenters(new):
        yield (
            "warning: the policy on who must sign blocks (BlockValidation) is not the quorum of the consenters; BFT "
            "orderers refuse such a configuration"
        )
        return
    if not follows_consenters(old):
        return
    n, m = len(read_consenters(old)), len(read_consenters(new))
    was, becomes = bft_quorum(n), bft_quorum(m)
    if was != becomes:
        verb = "raises" if becomes > was else "lowers"
        yield (
            f"{verb} the number of orderers that must sign a block from {was} (of {n}) to {becomes} (of {m})"
        )
    elif n != m:
        yield f"keeps the number of orderers that must sign a block at {was}, now of {m} instead of {n}"
    elif policies[0] != policies[1]:
        yield f"keeps the number of orderers that must sign a block at {was} of {n}, by the changed certificates"


def majority_sentences(old: configtx_pb2.ConfigGroup, new: configtx_pb2.ConfigGroup) -> Iterator[str]:
    """Say what a majority of the members is, if their number changes."""
    n, m = len(_at(old, "Application")), len(_at(new, "Application"))
    if n != m:
        yield f"makes a majority of the members {m // 2 + 1} of {m}, instead of {n // 2 + 1} of {n}"


def follows_consenters(group: configtx_pb2.ConfigGroup) -> bool:
    """Say whether BlockValidation is the quorum of the consenters; False if they cannot be read."""
    try:
        return has_quorum_policy(group)
    except InvalidInputError:
        return False


def standard_organisation(
    level: str, actual: configtx_pb2.ConfigGroup, twin: configtx_pb2.ConfigGroup | None
) -> configtx_pb2.ConfigGroup | None:
    """Return the bare group that this consortium gives a member with an organisation's MSP id and CA certificates.

    If its MSP is the one of its `twin` at the other level, that is taken as it is. None if the MSP cannot be read.
    """
    config = fabric_msp(actual)
    if config is None:
        return None
    bundle = MemberBundle(
        config.name, config.name, tuple(config.root_certs), (), None, None, None, None, "", 0
    )
    try:
        if level == "Application":
            standard = application_organisation(bundle)
            set_value(standard, "AnchorPeers", peer_pb2.AnchorPeers())
        else:
            standard = orderer_organisation(bundle, OrdererBundle(b"", b"", "", 0))
            set_value(standard, "Endpoints", configuration_pb2.OrdererAddresses())
    except InvalidInputError:
        return None
    if twin is not None and "MSP" in twin.values and twin.values["MSP"].value == actual.values["MSP"].value:
        set_encoded(standard, "MSP", actual.values["MSP"].value)
    return standard


def fabric_msp(organisation: configtx_pb2.ConfigGroup) -> Any:
    """Return an organisation's msp.FabricMSPConfig, or None if it has none that can be read."""
    if "MSP" not in organisation.values:
        return None
    try:
        outer = msp_config_pb2.MSPConfig.FromString(organisation.values["MSP"].value)
        return msp_config_pb2.FabricMSPConfig.FromString(outer.config) if outer.type == 0 else None
    except DecodeError:
        return None


def _changed_consenter(old: configuration_pb2.Consenter, new: configuration_pb2.Consenter) -> Iterator[str]:
    place = f"consenter {new.id} (the orderer of {text_words(new.msp_id)})"
    changes = list(field_changes(leaves(old), leaves(new)))
    tls = [change for change in changes if change.label in _TLS]
    if len(tls) == len(_TLS) and _is_one_change(tls):
        was, becomes = tls[0].removed[0].words, tls[0].added[0].words
        yield f"changes the TLS certificate of {place}: {was} → {becomes}"
        changes = [change for change in changes if change not in tls]
    for change in changes:
        yield from change_words(change, place)


def _is_one_change(changes: Sequence[FieldChange]) -> bool:
    """Say whether all changes are the same one, from one content to another that reads differently."""
    pairs = {tuple((leaf.words, leaf.raw) for leaf in (*each.removed, *each.added)) for each in changes}
    (pair, *more) = pairs
    return not more and len(pair) == 2 and pair[0][0] != pair[1][0]


def _consenter_words(consenter: configuration_pb2.Consenter) -> str:
    tls = certificate_words(consenter.server_tls_cert)
    if consenter.client_tls_cert != consenter.server_tls_cert:
        tls += f", as a client {certificate_words(consenter.client_tls_cert)}"
    unknown = "".join(f", {leaf.label} {leaf.words}" for leaf in unknown_leaves(consenter))
    return (
        f"consenter {consenter.id}, the orderer of {text_words(consenter.msp_id)} at {_address(consenter)}: identity "
        f"certificate {certificate_words(consenter.identity)}, TLS certificate {tls}{unknown}"
    )


def _orderers_words(group: configtx_pb2.ConfigGroup, name: str) -> str:
    config = fabric_msp(_at(group, "Orderer")[name])
    msp_id = name if config is None else config.name
    try:
        own = [each for each in read_consenters(group) if each.msp_id == msp_id]
    except InvalidInputError:
        own = []
    if not own:
        return "no consenter"
    return ", ".join(f"orderer {_address(each)} as consenter {each.id}" for each in own)


def _authorities_words(name: str, organisation: configtx_pb2.ConfigGroup) -> str:
    config = fabric_msp(organisation)
    if config is None or not config.root_certs:
        return "without a CA certificate that can be read"
    roots = "; ".join(f"CA certificate {certificate_words(pem)}" for pem in config.root_certs)
    return roots if config.name == name else f"MSP id {text_words(config.name)}, {roots}"


def _address(consenter: configuration_pb2.Consenter) -> str:
    return f"{text_words(consenter.host)}:{consenter.port}"


def _distinct(group: configtx_pb2.ConfigGroup) -> bool:
    ids = [each.id for each in read_consenters(group)]
    return len(set(ids)) == len(ids)


def _orderers_value(group: configtx_pb2.ConfigGroup) -> bytes:
    values = group.groups["Orderer"].values if "Orderer" in group.groups else {}
    return bytes(values["Orderers"].value) if "Orderers" in values else b""


def _block_validation(group: configtx_pb2.ConfigGroup) -> bytes | None:
    policies = group.groups["Orderer"].policies if "Orderer" in group.groups else {}
    if "BlockValidation" not in policies:
        return None
    return bytes(policies["BlockValidation"].policy.SerializeToString(deterministic=True))


def _names(group: configtx_pb2.ConfigGroup) -> list[str]:
    return sorted({name for level in LEVELS for name in _at(group, level)})


def _at(group: configtx_pb2.ConfigGroup, level: str) -> Any:
    """Return the organisations of a level by name."""
    return group.groups[level].groups if level in group.groups else {}
