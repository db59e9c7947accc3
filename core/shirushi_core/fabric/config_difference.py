"""What differs between two configurations of a channel, in sentences for the people who are asked to sign.

Nothing that differs goes unmentioned: known changes are said in their own words, all others by path and content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fabric_protos.common import configtx_pb2

from shirushi_core.fabric.config_elements import ROOT, Key, Kind, elements
from shirushi_core.fabric.config_fields import (
    FieldChange,
    change_words,
    field_changes,
    unknown_leaves,
    value_changes,
    value_words,
)
from shirushi_core.fabric.config_members import (
    LEVELS,
    consenter_sentences,
    follows_consenters,
    joined_sentences,
    left_sentences,
    majority_sentences,
    quorum_sentences,
    standard_organisation,
)
from shirushi_core.fabric.config_words import policy_words, text_words

_ORDERERS = Key(Kind.VALUE, f"{ROOT}/Orderer/Orderers")
_BLOCK_VALIDATION = Key(Kind.POLICY, f"{ROOT}/Orderer/BlockValidation")

_PHRASES = {
    ("BatchSize", "max_message_count"): "batch: at most {before} → {after} messages",
    ("BatchSize", "absolute_max_bytes"): "batch: never more than {before} → {after} bytes",
    ("BatchSize", "preferred_max_bytes"): "batch: if possible no more than {before} → {after} bytes",
    ("BatchTimeout", "timeout"): "batch: cut after {before} → {after} at the latest (BatchTimeout)",
    ("ConsensusType", "request_batch_max_count"): "batch: SmartBFT takes at most {before} → {after} messages",
    ("ConsensusType", "request_batch_max_bytes"): "batch: SmartBFT takes at most {before} → {after} bytes",
    (
        "ConsensusType",
        "request_batch_max_interval",
    ): "batch: SmartBFT waits {before} → {after} for more messages",
}


def describe_difference(
    before: configtx_pb2.Config | configtx_pb2.ConfigGroup,
    after: configtx_pb2.Config | configtx_pb2.ConfigGroup,
) -> list[str]:
    """Say in English sentences what differs between two configurations; no sentence only if nothing does.

    Versions are mentioned where they differ by more than the one step that a change makes. Raises InvalidInputError for
    groups nested too deeply or parts with names that Fabric refuses.
    """
    old, new = _root(before), _root(after)
    sentences = list(dict.fromkeys(_sentences(old, new)))
    sentences += _envelope_sentences(before, after, bool(sentences))
    if not sentences and _bytes(before) != _bytes(after):
        sentences.append("changes bytes of the configuration without a change that this version understands")
    return sentences


def _sentences(old: configtx_pb2.ConfigGroup, new: configtx_pb2.ConfigGroup) -> Iterator[str]:
    parts_before, parts_after = elements(old), elements(new)
    yield from left_sentences(old, new)
    yield from joined_sentences(old, new)
    yield from consenter_sentences(old, new)
    yield from quorum_sentences(old, new)
    yield from majority_sentences(old, new)
    joined = _organisations_only_in(new, old)
    left = _organisations_only_in(old, new)
    follows = follows_consenters(old) and follows_consenters(new)
    for key in sorted({*parts_before, *parts_after}, key=lambda key: (key.path, key.kind)):
        if any(_within(key, path) for path in (*joined, *left)):
            continue
        yield from _part_sentences(parts_before.get(key), parts_after.get(key), key, old, new, follows)
    for path in joined:
        yield from _new_organisation_sentences(path, new)


def _part_sentences(
    old: Any,
    new: Any,
    key: Key,
    old_root: configtx_pb2.ConfigGroup,
    new_root: configtx_pb2.ConfigGroup,
    follows: bool,
) -> Iterator[str]:
    if old is None or new is None:
        yield from _one_sided_sentences(old, new, key)
        return
    yield from _frame_sentences(old, new, key)
    if key.kind is Kind.VALUE and key != _ORDERERS:
        place = _place(key, old_root, new_root)
        yield from value_changes(key.name, old.value, new.value, place, _phrased(key))
    if key.kind is Kind.POLICY and not (key == _BLOCK_VALIDATION and follows):
        yield from _policy_sentences(old, new, key)


def _one_sided_sentences(old: Any, new: Any, key: Key) -> Iterator[str]:
    """Say that a part is new or gone, with all that it holds."""
    element, verb = (new, "adds") if old is None else (old, "removes")
    content = ""
    if key.kind is Kind.VALUE:
        content = f": {value_words(key.name, element.value)}"
    elif key.kind is Kind.POLICY:
        content = f": {_policy(element)}"
    yield f"{verb} the {key}{content} (changed under {text_words(element.mod_policy)})"
    if old is None:
        yield from _unknown_sentences((), unknown_leaves(element), key)
        if element.version:
            yield f"adds the {key} at version {element.version}, where new parts have version 0"


def _frame_sentences(old: Any, new: Any, key: Key) -> Iterator[str]:
    """Say what differs around a part's content: under which policy it is changed, its version, unknown fields."""
    if old.mod_policy != new.mod_policy:
        yield (
            f"changes the policy under which the {key} may be changed from {text_words(old.mod_policy)} to "
            f"{text_words(new.mod_policy)}"
        )
    allowed = {old.version, old.version + 1} if _differs(old, new, key) else {old.version}
    if new.version not in allowed:
        yield f"sets the version of the {key} from {old.version} to {new.version}"
    yield from _unknown_sentences(unknown_leaves(old), unknown_leaves(new), key)
    if key.kind is Kind.POLICY:
        yield from _unknown_sentences(unknown_leaves(old.policy), unknown_leaves(new.policy), key)


def _differs(old: Any, new: Any, key: Key) -> bool:
    if old.mod_policy != new.mod_policy:
        return True
    if key.kind is Kind.VALUE:
        return bool(old.value != new.value)
    if key.kind is Kind.POLICY:
        return bool(old.policy != new.policy or old.HasField("policy") != new.HasField("policy"))
    return any(
        set(getattr(old, each)) != set(getattr(new, each)) for each in ("groups", "values", "policies")
    )


def _unknown_sentences(old: Iterable[Any], new: Iterable[Any], key: Key) -> Iterator[str]:
    for change in field_changes(old, new):
        yield from change_words(change, f"the {key}")


def _policy_sentences(old: Any, new: Any, key: Key) -> Iterator[str]:
    was, becomes = _policy(old), _policy(new)
    if was != becomes:
        yield f"changes the {key} from {was} to {becomes}"
    elif (old.policy.type, old.policy.value) != (new.policy.type, new.policy.value):
        yield f"writes the same {key} in other bytes: {was}"


def _policy(element: Any) -> str:
    return policy_words(element.policy) if element.HasField("policy") else "(no policy)"


def _new_organisation_sentences(path: str, new: configtx_pb2.ConfigGroup) -> Iterator[str]:
    """Say what a new member's group holds beyond what every member's has."""
    level, name = path.split("/")[-2:]
    actual = new.groups[level].groups[name]
    twin = (
        new.groups["Application"].groups[name]
        if level == "Orderer" and name in new.groups["Application"].groups
        else None
    )
    standard = standard_organisation(level, actual, twin)
    usual = _rebased(elements(standard), path) if standard is not None else {}
    for key, element in _rebased(elements(actual), path).items():
        for sentence in _part_sentences(usual.get(key), element, key, new, new, follows=False):
            yield f"new member {name}: {sentence}"
    for key in usual.keys() - _rebased(elements(actual), path).keys():
        yield f"new member {name}: has no {key}"


def _rebased(parts: dict[Key, Any], path: str) -> dict[Key, Any]:
    return {Key(key.kind, path + key.path.removeprefix(ROOT)): element for key, element in parts.items()}


def _organisations_only_in(here: configtx_pb2.ConfigGroup, there: configtx_pb2.ConfigGroup) -> list[str]:
    return [
        f"{ROOT}/{level}/{name}"
        for level in LEVELS
        if level in here.groups and level in there.groups
        for name in sorted(here.groups[level].groups)
        if name not in there.groups[level].groups
    ]


def _within(key: Key, path: str) -> bool:
    return key.path == path or key.path.startswith(f"{path}/")


def _place(key: Key, old: configtx_pb2.ConfigGroup, new: configtx_pb2.ConfigGroup) -> str:
    """Name a value: by its path, or by the member if its MSP is, and becomes, the same at both levels."""
    name = key.path.split("/")[-2]
    if key.name != "MSP":
        return key.path
    if len({_msp(root, level, name) for root in (old, new) for level in LEVELS}) <= 2 and all(
        _msp(root, LEVELS[0], name) == _msp(root, LEVELS[1], name) for root in (old, new)
    ):
        return f"the member {name}"
    return key.path


def _msp(root: configtx_pb2.ConfigGroup, level: str, name: str) -> bytes | None:
    groups = root.groups[level].groups if level in root.groups else {}
    return (
        bytes(groups[name].values["MSP"].value) if name in groups and "MSP" in groups[name].values else None
    )


def _phrased(key: Key) -> Callable[[FieldChange, str], Iterable[str]]:
    def say(change: FieldChange, place: str) -> Iterable[str]:
        phrase = _PHRASES.get((key.name, change.label)) if key.group == f"{ROOT}/Orderer" else None
        if phrase is None or len(change.removed) != 1 or len(change.added) != 1:
            return change_words(change, place)
        return [phrase.format(before=change.removed[0].words, after=change.added[0].words)]

    return say


def _envelope_sentences(before: Any, after: Any, changed: bool) -> Iterator[str]:
    """Say what differs in the Config around the root group; one step of the sequence goes with a change."""
    if not isinstance(before, configtx_pb2.Config) or not isinstance(after, configtx_pb2.Config):
        return
    allowed = {before.sequence, before.sequence + 1} if changed else {before.sequence}
    if after.sequence not in allowed:
        yield f"sets the sequence number of the configuration from {before.sequence} to {after.sequence}"
    for change in field_changes(unknown_leaves(before), unknown_leaves(after)):
        yield from change_words(change, "the configuration")


def _root(config: configtx_pb2.Config | configtx_pb2.ConfigGroup) -> Any:
    return config.channel_group if isinstance(config, configtx_pb2.Config) else config


def _bytes(config: Any) -> bytes:
    return bytes(_root(config).SerializeToString(deterministic=True))
