from __future__ import annotations

import json
import os
import ssl
import stat
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import UnrecognizedExtension
from fabric_protos.common import common_pb2
from tests.support.fabric_binaries import fabric_binary

from shirushi_core.fabric.channel_config import BatchParameters, from_config_block
from shirushi_core.fabric.genesis import genesis_block, msp_config
from shirushi_core.fabric.identity import Identity
from shirushi_core.fabric.msp import ExpiredIdentityError, Msp, Role
from shirushi_core.fabric.signing import load_certificate, verify
from shirushi_network import member_keys
from shirushi_network.certificates import ATTRIBUTES_OID
from shirushi_network.member_keys import (
    MemberKeysError,
    create_member,
    load_bundle,
    load_signing_identity,
    load_tls,
)
from shirushi_network.topology import default_topology

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
TOPOLOGY = default_topology()
CITY = TOPOLOGY.members[0]
BATCH = BatchParameters(500, 10 << 20, 2 << 20, 0.2)
IDENTITIES = {
    "peers/peer0": Role.PEER,
    "orderers/orderer0": Role.ORDERER,
    "users/admin": Role.ADMIN,
    "users/issuer": Role.CLIENT,
    "users/client": Role.CLIENT,
}


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("consortium") / "members"
    for member in TOPOLOGY.members:
        create_member(root, member, now=NOW)
    return root


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_folders_are_fabrics(members: Path) -> None:
    public = {"cacerts/ca.pem", "tlscacerts/tlsca.pem", "config.yaml"}
    msp = public | {"signcerts/cert.pem", "keystore/priv_sk"}
    tls = {"server.crt", "server.key", "ca.crt"}
    expected = {f"msp/{name}" for name in public}
    expected |= {f"{home}/msp/{name}" for home in IDENTITIES for name in msp}
    nodes = ("peers/peer0", "orderers/orderer0", "chaincodes/anchors", "witness")
    expected |= {f"{home}/tls/{name}" for home in nodes for name in tls}
    expected |= {
        f"{home}/{name}" for home in ("ca", "tlsca", "users/issuer/seal") for name in ("cert.pem", "key.pem")
    }
    expected |= {f"witness/{name}" for name in ("log.key", "cosigner.key", "bls.key")}
    for member in TOPOLOGY.members:
        assert files_of(members / member.id) == expected


def test_private_keys_and_folders_are_the_owners_alone(members: Path) -> None:
    for path in members.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, path
        if path.is_file() and (path.name == "bls.key" or b"PRIVATE KEY" in path.read_bytes()):
            assert mode == 0o600, path


def test_every_private_key_is_its_own(members: Path) -> None:
    keys = [
        path.read_bytes()
        for path in members.rglob("*")
        if path.name in ("priv_sk", "key.pem", "server.key", "log.key", "cosigner.key", "bls.key")
    ]
    assert len(keys) == len(set(keys)) == 5 * 15


@pytest.mark.parametrize(("home", "role"), IDENTITIES.items())
def test_an_identity_loads_signs_and_is_valid_in_its_role(members: Path, home: str, role: Role) -> None:
    msp = Msp.from_config(msp_config(load_bundle(members, CITY)))
    signer = load_signing_identity(members / CITY.id / home / "msp", CITY.msp_id)
    valid = msp.validate(signer.identity, NOW)
    assert valid.roles == {Role.MEMBER, role}
    valid.verify(signer.sign(b"message"), b"message")


def test_lifetimes_are_as_asked(tmp_path: Path) -> None:
    create_member(tmp_path, CITY, now=NOW, authority_days=20, certificate_days=10)
    msp = Msp.from_config(msp_config(load_bundle(tmp_path, CITY)))
    identity = load_signing_identity(tmp_path / CITY.id / "users" / "client" / "msp", CITY.msp_id).identity
    msp.validate(identity, NOW + timedelta(days=10))
    with pytest.raises(ExpiredIdentityError):
        msp.validate(identity, NOW + timedelta(days=10, seconds=1))


def test_one_members_certificate_is_nothing_in_anothers_msp(members: Path) -> None:
    other = Msp.from_config(msp_config(load_bundle(members, TOPOLOGY.members[1])))
    signer = load_signing_identity(members / CITY.id / "users" / "admin" / "msp", CITY.msp_id)
    with pytest.raises(Exception, match="unknown authority"):
        other.validate(Identity(other.msp_id, signer.identity.certificate_pem), NOW)


def test_the_issuers_certificate_says_so_to_chaincodes_and_no_other_does(members: Path) -> None:
    said = {}
    for home in IDENTITIES:
        folder = members / CITY.id / home / "msp"
        certificate = load_certificate(load_signing_identity(folder, CITY.msp_id).identity.certificate_pem)
        said[home] = [
            json.loads(extension.value.value)
            for extension in certificate.extensions
            if extension.oid == ATTRIBUTES_OID and isinstance(extension.value, UnrecognizedExtension)
        ]
    assert {home: attributes for home, attributes in said.items() if attributes} == {
        "users/issuer": [{"attrs": {"shirushi.role": "issuer"}}]
    }


def test_a_member_without_an_orderer_has_no_keys_for_one(tmp_path: Path) -> None:
    create_member(tmp_path, replace(CITY, orderer=None), now=NOW)
    assert not (tmp_path / CITY.id / "orderers").exists()
    bundle = load_bundle(tmp_path, replace(CITY, orderer=None))
    assert (bundle.orderer_certificate, bundle.orderer_tls_certificate) == (None, None)
    assert (bundle.orderer_host, bundle.orderer_port) == (None, None)
    assert (bundle.peer_host, bundle.peer_port) == (CITY.peer.host, CITY.peer.port)


def test_keys_are_the_owners_alone_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        create_member(tmp_path / "members", CITY, now=NOW)
    finally:
        os.umask(before)
    test_private_keys_and_folders_are_the_owners_alone(tmp_path)


@pytest.mark.parametrize("home", ["peers/peer0", "orderers/orderer0", "chaincodes/anchors"])
def test_tls_material_works_as_a_server(members: Path, home: str) -> None:
    folder = members / CITY.id / home / "tls"
    _, _, authority = load_tls(folder)
    assert authority == load_bundle(members, CITY).tls_ca_certificates[0]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")


def test_a_bundle_holds_no_private_key_and_needs_none(members: Path, tmp_path: Path) -> None:
    create_member(tmp_path, CITY, now=NOW)
    for path in tmp_path.rglob("*"):
        if path.is_file() and b"PRIVATE KEY" in path.read_bytes():
            path.unlink()
    bundle = load_bundle(tmp_path, CITY)
    assert b"PRIVATE" not in repr(bundle).encode()
    assert (bundle.peer_host, bundle.peer_port) == (CITY.peer.host, CITY.peer.port)
    assert (bundle.orderer_host, bundle.orderer_port) == (CITY.orderer.host, CITY.orderer.port)


class TestRefusals:
    def test_existing_keys_are_never_overwritten(self, tmp_path: Path) -> None:
        create_member(tmp_path, CITY, now=NOW)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        with pytest.raises(MemberKeysError, match="exists already"):
            create_member(tmp_path, CITY, now=NOW)
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before

    def test_a_failure_leaves_nothing_behind(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: Any) -> None:
            raise OSError("disk full")

        monkeypatch.setattr(member_keys, "sync_tree", fail)
        with pytest.raises(MemberKeysError, match="disk full"):
            create_member(tmp_path, CITY, now=NOW)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("defect", "spoil", "says"),
        [
            ("no_key", lambda msp: (msp / "keystore" / "priv_sk").unlink(), "keystore holds 0 files"),
            (
                "two_certificates",
                lambda msp: (msp / "signcerts" / "b.pem").write_bytes(b""),
                "signcerts holds 2",
            ),
            ("no_folder", lambda msp: (msp / "keystore").rename(msp / "gone"), "keystore cannot be read"),
            (
                "spoilt_key",
                lambda msp: (msp / "keystore" / "priv_sk").write_bytes(b"x"),
                "priv_sk: not a private",
            ),
            (
                "spoilt_certificate",
                lambda msp: (msp / "signcerts" / "cert.pem").write_bytes(b"x"),
                "cert.pem: ",
            ),
            (
                "anothers_key",
                lambda msp: (msp / "keystore" / "priv_sk").write_bytes(
                    (msp.parents[2] / "ca" / "key.pem").read_bytes()
                ),
                "is not the key of",
            ),
        ],
    )
    def test_a_spoilt_folder_is_refused_and_the_file_named(
        self, tmp_path: Path, defect: str, spoil: Any, says: str
    ) -> None:
        create_member(tmp_path, CITY, now=NOW)
        folder = tmp_path / CITY.id / "users" / "admin" / "msp"
        spoil(folder)
        with pytest.raises(MemberKeysError, match=says):
            load_signing_identity(folder, CITY.msp_id)

    def test_missing_tls_material_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(MemberKeysError, match=r"server\.crt cannot be read"):
            load_tls(tmp_path)


class TestAgainstFabricsOwnTools:
    def test_the_genesis_block_is_the_one_configtxgen_makes(self, members: Path, tmp_path: Path) -> None:
        bundles = [load_bundle(members, member) for member in TOPOLOGY.members]
        ours = genesis_block(TOPOLOGY.channel, bundles, BATCH)
        (tmp_path / "configtx.yaml").write_text(json.dumps(configtx_profile(members)))
        target = tmp_path / "genesis.block"
        command = [fabric_binary("configtxgen"), "-configPath", str(tmp_path), "-profile", "Shirushi"]
        done = subprocess.run(
            [*command, "-channelID", TOPOLOGY.channel, "-outputBlock", str(target)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        theirs = from_config_block(common_pb2.Block.FromString(target.read_bytes()))
        assert from_config_block(ours).config == theirs.config

    def test_the_peer_command_takes_a_users_folder(self, members: Path, tmp_path: Path) -> None:
        # No node answers here: getting as far as the connection shows that the identity was taken.
        environment = {
            "CORE_PEER_LOCALMSPID": CITY.msp_id,
            "CORE_PEER_MSPCONFIGPATH": str(members / CITY.id / "users" / "admin" / "msp"),
            "CORE_PEER_ADDRESS": "127.0.0.1:1",
            "CORE_PEER_CLIENT_CONNTIMEOUT": "1s",
            "FABRIC_CFG_PATH": str(tmp_path),
        }
        (tmp_path / "core.yaml").write_text("peer: {BCCSP: {Default: SW, SW: {Hash: SHA2, Security: 256}}}\n")
        done = subprocess.run(
            [fabric_binary("peer"), "channel", "list"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert "failed to create new connection" in done.stderr, done.stderr


def configtx_profile(members: Path) -> dict[str, Any]:
    """Return the configtx.yaml that describes the channel genesis_block builds."""

    def meta(rule: str) -> dict[str, str]:
        return {"Type": "ImplicitMeta", "Rule": rule}

    def roles(msp_id: str, *names: str) -> dict[str, str]:
        return {"Type": "Signature", "Rule": "OR(" + ", ".join(f"'{msp_id}.{name}'" for name in names) + ")"}

    usual = {
        "Readers": meta("ANY Readers"),
        "Writers": meta("ANY Writers"),
        "Admins": meta("MAJORITY Admins"),
    }
    peers, orderers, consenters = [], [], []
    for number, member in enumerate(TOPOLOGY.members, start=1):
        home = members / member.id
        common = {"Name": member.msp_id, "ID": member.msp_id, "MSPDir": str(home / "msp")}
        admins = roles(member.msp_id, "admin")
        peers.append(
            common
            | {
                "Policies": {
                    "Readers": roles(member.msp_id, "admin", "peer", "client"),
                    "Writers": roles(member.msp_id, "admin", "client"),
                    "Admins": admins,
                    "Endorsement": roles(member.msp_id, "peer"),
                },
                "AnchorPeers": [{"Host": member.peer.host, "Port": member.peer.port}],
            }
        )
        anyone = roles(member.msp_id, "member")
        orderers.append(
            common
            | {
                "Policies": {"Readers": anyone, "Writers": anyone, "Admins": admins},
                "OrdererEndpoints": [f"{member.orderer.address}"],
            }
        )
        orderer = home / "orderers" / "orderer0"
        consenters.append(
            {
                "ID": number,
                "Host": member.orderer.host,
                "Port": member.orderer.port,
                "MSPID": member.msp_id,
                "Identity": str(orderer / "msp" / "signcerts" / "cert.pem"),
                "ClientTLSCert": str(orderer / "tls" / "server.crt"),
                "ServerTLSCert": str(orderer / "tls" / "server.crt"),
            }
        )
    return {
        "Profiles": {
            "Shirushi": {
                "Policies": usual,
                "Capabilities": {"V3_0": True},
                "Application": {
                    "Organizations": peers,
                    "Policies": usual
                    | {
                        "Endorsement": meta("MAJORITY Endorsement"),
                        "LifecycleEndorsement": meta("MAJORITY Endorsement"),
                    },
                    "Capabilities": {"V2_5": True},
                },
                "Orderer": {
                    "OrdererType": "BFT",
                    "BatchTimeout": "200ms",
                    "BatchSize": {
                        "MaxMessageCount": BATCH.max_message_count,
                        "AbsoluteMaxBytes": BATCH.absolute_max_bytes,
                        "PreferredMaxBytes": BATCH.preferred_max_bytes,
                    },
                    "ConsenterMapping": consenters,
                    "SmartBFT": {
                        "RequestBatchMaxCount": BATCH.max_message_count,
                        "RequestBatchMaxBytes": BATCH.absolute_max_bytes,
                        "RequestBatchMaxInterval": "200ms",
                        "IncomingMessageBufferSize": 200,
                        "RequestPoolSize": 100_000,
                        "RequestForwardTimeout": "2s",
                        "RequestComplainTimeout": "5s",
                        "RequestAutoRemoveTimeout": "3m0s",
                        "ViewChangeResendInterval": "2s",
                        "ViewChangeTimeout": "15s",
                        "LeaderHeartbeatTimeout": "15s",
                        "LeaderHeartbeatCount": 10,
                        "CollectTimeout": "1s",
                    },
                    "Organizations": orderers,
                    "Policies": usual | {"BlockValidation": meta("ANY Writers")},
                    "Capabilities": {"V2_0": True},
                },
            }
        }
    }


def test_a_signature_made_with_a_loaded_key_is_the_certificates(members: Path) -> None:
    signer = load_signing_identity(members / CITY.id / "users" / "client" / "msp", CITY.msp_id)
    verify(signer.key.public_key(), signer.sign(b"m"), b"m")
