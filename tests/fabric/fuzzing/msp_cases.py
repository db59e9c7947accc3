"""Config updates of one member: its own MSP, policies and addresses changed in odd ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

from fabric_protos.common import configtx_pb2, policies_pb2
from fabric_protos.msp import msp_config_pb2, msp_principal_pb2
from fabric_protos.peer import configuration_pb2
from tests.fabric.fuzzing.certificate_oddities import ODDITIES
from tests.fabric.fuzzing.der import UTC_TIME, bits, explicit, implicit, integer, sequence, tlv
from tests.fabric.fuzzing.drafts import (
    AUTHORITY_KEY_ID,
    Draft,
    Extension,
    Issuer,
    as_pem,
    authority,
    end_entity,
    issuer_of,
)
from tests.fabric.fuzzing.keys import make_key

Group = configtx_pb2.ConfigGroup
Change: TypeAlias = Callable[["Making"], None]


@dataclass
class Making:
    """A member's MSP in the making: its configuration, its CA, and who is to be tried as one of its peers."""

    config: Any  # FabricMSPConfig
    issuer: Issuer
    random: Random
    holder_of: Issuer  # the CA of the one who is tried
    chosen: list[str]

    def odd_authority(self, name: str, issuer: Issuer | None = None) -> Draft:
        """Return a CA of any kind of key with one oddity."""
        kind = self.random.choice(("P-256", "P-256", "P-384", "P-521", "Ed25519", "RSA-2048"))
        draft = authority(name.encode(), make_key(self.random, kind), self.random, issuer)
        draft.not_before = tlv(UTC_TIME, self.issuer.begin.encode())
        if self.random.random() < 0.75:
            oddity = self.random.choice(sorted(ODDITIES))
            self.chosen.append(oddity)
            ODDITIES[oddity](draft, self.random)
        return draft


def _root(making: Making) -> None:
    draft = making.odd_authority("odd root")
    making.config.root_certs.append(draft.encoded)
    _try(making, draft)


def _intermediate(making: Making) -> None:
    draft = making.odd_authority("odd intermediate", making.issuer)
    making.config.intermediate_certs.append(draft.encoded)
    _try(making, draft)


def _root_and_intermediate(making: Making) -> None:
    root = making.odd_authority("odd root")
    lower = making.odd_authority("odd lower", issuer_of(root))
    making.config.root_certs.append(root.encoded)
    making.config.intermediate_certs.append(lower.encoded)
    _try(making, lower)


def _try(making: Making, draft: Draft) -> None:
    found = issuer_of(draft)
    making.holder_of = Issuer(found.name, found.key, found.key_id, making.issuer.begin)


def _root_twice(making: Making) -> None:
    making.config.root_certs.append(making.config.root_certs[0])


def _tls_root(making: Making) -> None:
    making.config.tls_root_certs.append(making.odd_authority("odd tls root").encoded)


def _tls_intermediate(making: Making) -> None:
    root = making.odd_authority("odd tls root")
    making.config.tls_root_certs.append(root.encoded)
    making.config.tls_intermediate_certs.append(
        making.odd_authority("odd tls lower", issuer_of(root)).encoded
    )


def _named_admin(making: Making) -> None:
    role = making.random.choice(("admin", "client", "peer", "orderer", "other"))
    draft = end_entity(making.issuer, role, making.random, make_key(making.random))
    if making.random.random() < 0.7:
        oddity = making.random.choice(sorted(ODDITIES))
        making.chosen.append(oddity)
        ODDITIES[oddity](draft, making.random)
    making.config.admins.append(draft.encoded)


def _list(making: Making) -> None:
    making.config.revocation_list.append(revocation_list(making))


def _unit(making: Making) -> None:
    unit = making.config.organizational_unit_identifiers.add()
    unit.organizational_unit_identifier = making.random.choice(("peer", "other", "", "証明"))
    unit.certificate = making.random.choice((making.config.root_certs[0], b"", b"no certificate"))
    if making.random.random() < 0.5:
        making.config.organizational_unit_identifiers.add().CopyFrom(unit)
        for role in ("peer", "client", "admin", "orderer"):
            other = making.config.organizational_unit_identifiers.add()
            other.organizational_unit_identifier = role
            other.certificate = making.config.root_certs[0]


def _node_ous(making: Making) -> None:
    ous = making.config.fabric_node_ous
    role = making.random.choice(("client", "peer", "admin", "orderer"))
    unit = getattr(ous, f"{role}_ou_identifier")
    match making.random.randrange(6):
        case 0:
            ous.enable = False
        case 1:
            ous.ClearField(f"{role}_ou_identifier")
        case 2:
            unit.certificate = making.config.root_certs[0]
        case 3:
            unit.organizational_unit_identifier = making.random.choice(("", "peer", "client", "other"))
        case 4:
            making.config.ClearField("fabric_node_ous")
        case _:
            unit.certificate = b"no certificate"


def _crypto(making: Making) -> None:
    crypto = making.config.crypto_config
    crypto.signature_hash_family = making.random.choice(("", "SHA2", "SHA3", "MD5"))
    making.chosen.append(crypto.signature_hash_family)
    crypto.identity_identifier_hash_function = making.random.choice(("", "SHA256", "SHA384", "SHA3_256", "X"))


CHANGES: dict[str, Change] = {
    "a root": _root,
    "an intermediate": _intermediate,
    "a root and an intermediate": _root_and_intermediate,
    "the root twice": _root_twice,
    "a TLS root": _tls_root,
    "a TLS intermediate": _tls_intermediate,
    "an admin by name": _named_admin,
    "a revocation list": _list,
    "units": _unit,
    "NodeOUs": _node_ous,
    "hashes": _crypto,
}
POLICIES = ("Readers", "Writers", "Admins", "Endorsement")


def revocation_list(making: Making) -> bytes:
    """Return a revocation list of the member's CA that is odd in one way or another."""
    random, issuer = making.random, making.issuer
    algorithm = issuer.key.algorithm(hash_name := random.choice(("SHA-256", "SHA-384", "SHA-1")))
    now, later = (tlv(UTC_TIME, text) for text in (b"250101000000Z", b"350101000000Z"))
    serials = [
        random.choice((5, -5, 0, 1 << 170, random.getrandbits(60))) for _ in range(random.randrange(4))
    ]
    revoked = sequence(*(sequence(integer(serial), now) for serial in serials)) if serials else b""
    key_ids = random.choice((issuer.key_id, issuer.key_id, b"another", b""))
    extensions = [Extension(AUTHORITY_KEY_ID, sequence(implicit(0, key_ids)))]
    if random.random() < 0.15:
        extensions = []
    if random.random() < 0.3:
        extensions.append(Extension("1.2.3.4", b"odd", random.choice((True, None))))
    signed = sequence(
        random.choice((integer(1), integer(1), b"")),
        algorithm,
        issuer.name,
        now,
        random.choice((later, later, b"")),
        revoked,
        explicit(0, sequence(*(each.der for each in extensions))) if extensions else b"",
    )
    signature = issuer.key.sign(signed, hash_name, high=random.random() < 0.3)
    made = sequence(signed, algorithm, bits(signature))
    return random.choice(
        (
            as_pem(made, "X509 CRL"),
            as_pem(made, "X509 CRL"),
            made,
            made + b"\x00",
            as_pem(made, "CERTIFICATE"),
            as_pem(made, "X509 CRL", end="\r\n"),
            b"\n" + as_pem(made, "X509 CRL"),
        )
    )


@dataclass(frozen=True)
class ConfigCase:
    """A change to one member's own part of the configuration."""

    seed: int
    what: str
    chosen: tuple[str, ...]
    edited: Any  # ConfigGroup, the root
    holder_of: Issuer

    @property
    def name(self) -> str:
        return f"config {self.seed} ({'; '.join((self.what, *self.chosen))})"


def config_case(seed: int, group: Group, name: str, issuer: Issuer) -> ConfigCase:
    """Return the case of a seed: the root group with a change to an organisation, at both levels where it is its MSP."""
    random = Random(f"config {seed}")
    edited = Group()
    edited.CopyFrom(group)
    organisation = edited.groups["Application"].groups[name]
    what = random.choice((*CHANGES, *CHANGES, "a policy", "anchor peers"))
    outer = msp_config_pb2.MSPConfig.FromString(organisation.values["MSP"].value)
    config = msp_config_pb2.FabricMSPConfig.FromString(outer.config)
    making = Making(config, issuer, random, issuer, [])
    if what == "a policy":
        _odd_policy(organisation, random, config.name)
    elif what == "anchor peers":
        organisation.values["AnchorPeers"].value = _anchor_peers(random)
    else:
        try:
            CHANGES[what](making)
        except (IndexError, StopIteration, ValueError):
            making.chosen.append("which cannot be")
        outer.config = config.SerializeToString()
        for level in ("Application", "Orderer"):
            edited.groups[level].groups[name].values["MSP"].value = outer.SerializeToString()
    return ConfigCase(seed, what, tuple(making.chosen), edited, making.holder_of)


def _odd_policy(organisation: Group, random: Random, msp_id: str) -> None:
    """Change a policy of one member that orderers do not need for what is tried here."""
    policy = organisation.policies["Readers"].policy
    value = policies_pb2.SignaturePolicyEnvelope.FromString(policy.value)
    kinds = msp_principal_pb2.MSPPrincipal
    match random.randrange(7):
        case 0:
            policy.type = random.choice((0, 2, 9))
        case 1:
            value.identities.add(
                principal_classification=random.choice((0, 1, 2, 3, 4, 9)), principal=b"\xff"
            )
        case 2:
            value.version = 1
        case 3:
            value.rule.n_out_of.n = random.choice((0, -1, 100))
        case 4:
            value.rule.n_out_of.rules.add(signed_by=random.choice((-1, 99)))
        case 5:
            value.rule.n_out_of.rules.add()
        case _:
            value.identities.add(
                principal_classification=kinds.ANONYMITY, principal=random.choice((b"", b"\x08\x01"))
            )
    policy.value = value.SerializeToString()


def _anchor_peers(random: Random) -> bytes:
    peers = configuration_pb2.AnchorPeers()
    for _ in range(random.randrange(4)):
        peers.anchor_peers.add(
            host=random.choice(("", "localhost", "飯塚", "a" * 3000)), port=random.choice((0, -1, 1 << 30))
        )
    return random.choice((bytes(peers.SerializeToString()), b"\xff\xff", b""))
