"""The contents of configuration values, field by field, and what differs between two of them.

Every field of a message becomes leaves: a label and words. Fields inside bytes that are messages themselves are opened
too; what is not understood becomes a leaf of its own, so that no difference is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fabric_protos.common import configuration_pb2
from fabric_protos.msp import msp_config_pb2
from fabric_protos.orderer import configuration_pb2 as orderer_pb2
from fabric_protos.orderer.smartbft import configuration_pb2 as smartbft_pb2
from fabric_protos.peer import configuration_pb2 as peer_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from shirushi_core.fabric.config_words import (
    bytes_words,
    certificate_words,
    revocation_list_words,
    text_words,
)

VALUE_TYPES: dict[str, Any] = {
    "ACLs": peer_pb2.ACLs,
    "AnchorPeers": peer_pb2.AnchorPeers,
    "BatchSize": orderer_pb2.BatchSize,
    "BatchTimeout": orderer_pb2.BatchTimeout,
    "BlockDataHashingStructure": configuration_pb2.BlockDataHashingStructure,
    "Capabilities": configuration_pb2.Capabilities,
    "ChannelRestrictions": orderer_pb2.ChannelRestrictions,
    "ConsensusType": orderer_pb2.ConsensusType,
    "Consortium": configuration_pb2.Consortium,
    "Endpoints": configuration_pb2.OrdererAddresses,
    "HashingAlgorithm": configuration_pb2.HashingAlgorithm,
    "MSP": msp_config_pb2.MSPConfig,
    "OrdererAddresses": configuration_pb2.OrdererAddresses,
    "Orderers": configuration_pb2.Orderers,
}
"""The message that a configuration value holds, by its name."""

_NAMES = {
    "acls": "access rule",
    "addresses": "orderer address",
    "admins": "admin certificate",
    "anchor_peers": "anchor peer",
    "capabilities": "capability",
    "client_tls_cert": "TLS client certificate",
    "consenter_mapping": "consenter",
    "fabric_node_ous": "role units",
    "identity": "identity certificate",
    "intermediate_certs": "intermediate CA certificate",
    "name": "name",
    "revocation_list": "revocation list",
    "root_certs": "CA certificate",
    "server_tls_cert": "TLS server certificate",
    "tls_intermediate_certs": "intermediate TLS CA certificate",
    "tls_root_certs": "TLS CA certificate",
}
_CERTIFICATES = frozenset(
    {
        "msp.FabricMSPConfig.root_certs",
        "msp.FabricMSPConfig.intermediate_certs",
        "msp.FabricMSPConfig.admins",
        "msp.FabricMSPConfig.tls_root_certs",
        "msp.FabricMSPConfig.tls_intermediate_certs",
        "msp.FabricOUIdentifier.certificate",
        "common.Consenter.identity",
        "common.Consenter.client_tls_cert",
        "common.Consenter.server_tls_cert",
    }
)
_REVOCATION_LISTS = "msp.FabricMSPConfig.revocation_list"
_UNKNOWN = "fields that this version does not know"
_SEPARATOR = " / "


@dataclass(frozen=True, slots=True)
class Leaf:
    """One field's content: what it is called, in words, and its bytes for comparison."""

    label: str
    words: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class FieldChange:
    """How one field's contents differ: what went, what came; neither, if only the order did."""

    label: str
    removed: tuple[Leaf, ...]
    added: tuple[Leaf, ...]


def leaves(message: Message, prefix: str = "") -> Iterator[Leaf]:
    """Yield every field of a message, absent ones with their defaults, in the order of the message type."""
    for field in message.DESCRIPTOR.fields:
        label = f"{prefix}{_NAMES.get(field.name, field.name)}"
        content = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for key in sorted(content):
                yield _whole(f"{label} {text_words(str(key))}", content[key])
        elif field.label == FieldDescriptor.LABEL_REPEATED:
            for item in content:
                yield _whole(label, item) if field.message_type else _scalar(label, field, item)
        elif field.message_type is not None:
            present = message.HasField(field.name)
            yield Leaf(label, "present" if present else "absent", b"")
            if present:
                yield from leaves(content, f"{label}{_SEPARATOR}")
        else:
            inner = _inner(message, field.name)
            if inner is None:
                yield _scalar(label, field, content)
            else:
                yield from leaves(inner, prefix)
    yield from unknown_leaves(message, prefix)


def unknown_leaves(message: Message, prefix: str = "") -> Iterator[Leaf]:
    """Yield one leaf if a message itself holds fields that its type here does not know."""
    numbers = sorted({field.field_number for field in UnknownFieldSet(message)})
    if numbers:
        data = message.SerializeToString(deterministic=True)
        yield Leaf(f"{prefix}{_UNKNOWN}", f"numbers {', '.join(map(str, numbers))}", data)


def field_changes(before: Iterable[Leaf], after: Iterable[Leaf]) -> Iterator[FieldChange]:
    """Yield what differs between the leaves of two messages, label by label."""
    old, new = list(before), list(after)
    for label in dict.fromkeys(leaf.label for leaf in (*old, *new)):
        ours = [leaf for leaf in old if leaf.label == label]
        theirs = [leaf for leaf in new if leaf.label == label]
        if ours != theirs:
            removed, added = Counter(ours) - Counter(theirs), Counter(theirs) - Counter(ours)
            yield FieldChange(label, tuple(removed.elements()), tuple(added.elements()))


def change_words(change: FieldChange, place: str) -> Iterator[str]:
    """Say what a field's change is: "changes the … of … from … to …", "adds …", "removes …"."""
    if len(change.removed) == len(change.added) == 1:
        (old,), (new,) = change.removed, change.added
        was, becomes = old.words, new.words
        if was == becomes:
            was, becomes = f"{was} in {bytes_words(old.raw)}", f"{becomes} in {bytes_words(new.raw)}"
        yield f"changes the {change.label} of {place} from {was} to {becomes}"
        return
    for leaf in change.removed:
        yield f"removes the {change.label} {leaf.words} of {place}"
    for leaf in change.added:
        yield f"adds the {change.label} {leaf.words} to {place}"
    if not change.removed and not change.added:
        yield f"changes the order of the {change.label} entries of {place}"


def value_changes(
    name: str,
    before: bytes,
    after: bytes,
    place: str,
    say: Callable[[FieldChange, str], Iterable[str]] = change_words,
) -> list[str]:
    """Say what differs between two contents of a configuration value; none only if the bytes are the same."""
    if before == after:
        return []
    old, new = decoded(name, before), decoded(name, after)
    if old is None or new is None:
        return [f"changes {place} from {_opaque(old, before)} to {_opaque(new, after)}"]
    found = [words for change in field_changes(leaves(old), leaves(new)) for words in say(change, place)]
    return found or [
        f"writes the same content of {place} in other bytes: {bytes_words(before)} → {bytes_words(after)}"
    ]


def value_words(name: str, data: bytes) -> str:
    """Describe a configuration value's content in one line; fields at their defaults are left out."""
    message = decoded(name, data)
    if message is None:
        return f"not understood: {bytes_words(data)}"
    usual = set(leaves(type(message)()))
    shown = [f"{leaf.label} {leaf.words}" for leaf in leaves(message) if leaf not in usual]
    return ", ".join(shown) or "(empty)"


def decoded(name: str, data: bytes) -> Message | None:
    """Return a configuration value's message, or None if it is unknown or does not decode."""
    kind = VALUE_TYPES.get(name)
    if kind is None:
        return None
    try:
        message: Message = kind.FromString(data)
    except DecodeError:
        return None
    return message


def _opaque(message: Message | None, data: bytes) -> str:
    return bytes_words(data) if message is not None else f"{bytes_words(data)} (not understood)"


def _inner(message: Message, field: str) -> Message | None:
    """Return the message inside a bytes field, or None if the field is just bytes."""
    where = f"{message.DESCRIPTOR.full_name}.{field}"
    kind: Any = None
    if where == "msp.MSPConfig.config" and getattr(message, "type", None) == 0:
        kind = msp_config_pb2.FabricMSPConfig
    if where == "orderer.ConsensusType.metadata" and getattr(message, "type", None) == "BFT":
        kind = smartbft_pb2.Options
    try:
        return None if kind is None else kind.FromString(getattr(message, field))
    except DecodeError:
        return None


def _whole(label: str, message: Message) -> Leaf:
    """Return one leaf for a whole message, as one of several."""
    if message.DESCRIPTOR.full_name == "protos.AnchorPeer" and not UnknownFieldSet(message):
        words = f"{text_words(getattr(message, 'host', ''))}:{getattr(message, 'port', 0)}"
    else:
        words = ", ".join(f"{leaf.label} {leaf.words}" for leaf in leaves(message)) or "present"
    return Leaf(label, words, message.SerializeToString(deterministic=True))


def _scalar(label: str, field: FieldDescriptor, content: Any) -> Leaf:
    if isinstance(content, bytes):
        if field.full_name in _CERTIFICATES:
            return Leaf(label, certificate_words(content), content)
        if field.full_name == _REVOCATION_LISTS:
            return Leaf(label, revocation_list_words(content), content)
        return Leaf(label, bytes_words(content), content)
    if isinstance(content, str):
        return Leaf(label, text_words(content), content.encode())
    if field.enum_type is not None:
        named = field.enum_type.values_by_number.get(content)
        return Leaf(
            label, named.name if named is not None else f"unknown value {content}", str(content).encode()
        )
    return Leaf(
        label, str(content).lower() if isinstance(content, bool) else str(content), str(content).encode()
    )
