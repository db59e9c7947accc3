from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.throwaway_ca import ThrowawayCa

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.genesis import MemberBundle
from shirushi_core.fabric.msp import Role
from shirushi_core.fabric.signing import load_certificate
from shirushi_core.proofs.canonical import encode
from shirushi_network import certificates
from shirushi_network.bundle_checks import check_bundle, check_distinct
from shirushi_network.certificates import Period
from shirushi_network.errors import ConsortiumError
from shirushi_network.fingerprints import grouped, parse_fingerprint
from shirushi_network.genesis_ceremony import GenesisExistsError, build, collect, write_genesis
from shirushi_network.layout import Layout
from shirushi_network.member_bundle import (
    MAX_BUNDLE_BYTES,
    BundleError,
    PublicBundle,
    bundle_of,
    bundle_path,
    fingerprint,
    local_bundle,
    parse_bundle,
    public_bundle_of,
    read_bundle,
    render_bundle,
)
from shirushi_network.member_keys import create_member
from shirushi_network.own_authority import load_pair
from shirushi_network.revocation import revoke
from shirushi_network.topology import PeerNode, default_topology

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
TOPOLOGY = default_topology()
CITY, OTHER = TOPOLOGY.members[:2]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Layout]:
    """Five members' own data folders, each with its own keys and nobody else's."""
    layouts = []
    for member in TOPOLOGY.members:
        layout = Layout(tmp_path_factory.mktemp(member.id))
        create_member(layout.members, member, now=NOW)
        layouts.append(layout)
    return layouts


@pytest.fixture(scope="module")
def bundles(folders: list[Layout]) -> list[PublicBundle]:
    return [
        public_bundle_of(layout, member) for layout, member in zip(folders, TOPOLOGY.members, strict=True)
    ]


@pytest.fixture(scope="module")
def city(bundles: list[PublicBundle]) -> PublicBundle:
    return bundles[0]


def with_material(bundle: PublicBundle, **changes: Any) -> PublicBundle:
    return PublicBundle(bundle.member, replace(bundle.material, **changes))


class TestTheFile:
    def test_reading_it_gives_the_bundle_back(self, bundles: list[PublicBundle]) -> None:
        for bundle in bundles:
            assert parse_bundle(render_bundle(bundle)) == bundle

    def test_a_member_without_an_orderer_has_a_bundle_too(self, tmp_path: Path) -> None:
        member = replace(CITY, orderer=None)
        create_member(tmp_path, member, now=NOW)
        bundle = local_bundle(tmp_path, member)
        value = json.loads(render_bundle(bundle))
        assert (value["orderer_certificate"], value["orderer_tls_certificate"]) == (None, None)
        assert parse_bundle(render_bundle(bundle)) == bundle
        check_bundle(bundle, member, NOW)

    def test_it_holds_no_private_key(self, folders: list[Layout], bundles: list[PublicBundle]) -> None:
        contents = [render_bundle(bundle) for bundle in bundles]
        for path in (path for layout in folders for path in layout.members.rglob("*")):
            if path.is_file() and b"PRIVATE KEY" in path.read_bytes():
                secret_line = path.read_bytes().splitlines()[1]
                assert not any(secret_line in content for content in contents)
        assert not any(b"PRIVATE" in content for content in contents)

    def test_its_fingerprint_is_the_sha_256_of_the_file_in_groups_of_four(self, city: PublicBundle) -> None:
        digest = hashlib.sha256(render_bundle(city)).digest()
        assert fingerprint(city) == digest
        groups = grouped(digest).split(" ")
        assert [len(group) for group in groups] == [4] * 16
        assert "".join(groups) == digest.hex()

    def test_a_fingerprint_is_understood_however_it_was_written_down(self) -> None:
        digest = hashlib.sha256(b"").digest()
        for text in (grouped(digest), digest.hex().upper(), grouped(digest).replace(" ", ":") + "\n"):
            assert parse_fingerprint(text) == digest

    @pytest.mark.parametrize("text", ["", "12", "g" * 64, "1" * 65])
    def test_what_is_no_fingerprint_is_refused(self, text: str) -> None:
        with pytest.raises(ShirushiError, match="64 hex digits"):
            parse_fingerprint(text)


class TestWhatIsNoBundle:
    @pytest.mark.parametrize(
        ("defect", "spoil", "says"),
        [
            ("not_json", lambda value: b"hello", "JSON"),
            ("too_large", lambda value: b" " * (MAX_BUNDLE_BYTES + 1), "1048576"),
            ("a_list", lambda value: b"[]", "bundle: expected an object"),
            ("a_newline_at_the_end", lambda value: encode(value) + b"\n", "canonical"),
            ("another_format", lambda value: value | {"format": "shirushi/member-bundle/v2"}, "format"),
            ("a_further_field", lambda value: value | {"key": "x"}, "key"),
            ("no_tls_ca_field", lambda value: without(value, "tls_ca_certificates"), "tls_ca_certificates"),
            ("no_list", lambda value: value | {"ca_certificates": "x"}, "ca_certificates: expected an array"),
            (
                "no_certificate",
                lambda value: value | {"ca_certificates": ["x"]},
                r"ca_certificates\[0\]: .*PEM",
            ),
            (
                "a_number",
                lambda value: value | {"orderer_certificate": 1},
                "orderer_certificate: expected PEM text",
            ),
            (
                "text_before_a_certificate",
                lambda value: value | {"orderer_certificate": "\n" + value["orderer_certificate"]},
                "orderer_certificate: expected one PEM block in its canonical form",
            ),
            ("no_orderer", lambda value: value | {"orderer_certificate": None}, "null for both"),
            (
                "a_private_key",
                lambda value: (
                    value
                    | {"ca_certificates": ["-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"]}
                ),
                "PEM",
            ),
            (
                "no_revocation_list",
                lambda value: value | {"revocation_lists": ["x"]},
                r"revocation_lists\[0\]: not a",
            ),
            (
                "a_port_that_is_none",
                lambda value: value | {"member": value["member"] | {"peer": {"host": "x", "port": 0}}},
                "peer of iizuka",
            ),
            (
                "an_orderer_that_is_empty",
                lambda value: (
                    value
                    | {
                        "member": value["member"] | {"orderer": {}},
                        "orderer_certificate": None,
                        "orderer_tls_certificate": None,
                    }
                ),
                "member: expected the entry",
            ),
        ],
    )
    def test_is_refused_and_the_file_and_field_are_named(
        self, city: PublicBundle, tmp_path: Path, defect: str, spoil: Callable[[Any], Any], says: str
    ) -> None:
        spoilt = spoil(json.loads(render_bundle(city)))
        path = tmp_path / f"{defect}.json"
        path.write_bytes(spoilt if isinstance(spoilt, bytes) else encode(spoilt))
        with pytest.raises(ConsortiumError, match=says) as caught:
            read_bundle(path)
        assert str(path) in str(caught.value)

    @settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_any_byte_changed_is_noticed(self, city: PublicBundle, data: st.DataObject) -> None:
        content = bytearray(render_bundle(city))
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))
        with pytest.raises(ShirushiError):
            check_bundle(parse_bundle(bytes(content)), CITY, NOW)

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_anything_cut_out_or_put_in_is_noticed(self, city: PublicBundle, data: st.DataObject) -> None:
        content = render_bundle(city)
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 200)))
        spoilt = content[:start] + data.draw(st.binary(max_size=50)) + content[end:]
        if spoilt != content:
            with pytest.raises(ShirushiError):
                check_bundle(parse_bundle(spoilt), CITY, NOW)

    @given(data=st.binary(max_size=300))
    def test_noise_gives_a_typed_error(self, data: bytes) -> None:
        with pytest.raises(BundleError):
            parse_bundle(data)


class TestCheckingABundle:
    def test_good_ones_pass(self, bundles: list[PublicBundle]) -> None:
        for bundle, member in zip(bundles, TOPOLOGY.members, strict=True):
            check_bundle(bundle, member, NOW)
        check_distinct(bundles)

    def test_another_members_is_refused(self, bundles: list[PublicBundle]) -> None:
        refused(bundles[1], "expected the bundle of iizuka, found that of chaintope")

    def test_another_members_certificates_under_this_name_are_refused(
        self, bundles: list[PublicBundle]
    ) -> None:
        theirs = bundles[1].material
        spoilt = with_material(bundles[0], orderer_certificate=theirs.orderer_certificate, member_id=CITY.id)
        refused(spoilt, "its MSP does not accept the orderer certificate: .*unknown authority")

    def test_another_msp_id_is_refused(self, city: PublicBundle) -> None:
        member = replace(CITY, msp_id="CityMSP")
        refused(
            PublicBundle(member, replace(city.material, msp_id="CityMSP")),
            "for the MSP id CityMSP, the topology has IizukaMSP",
        )

    def test_other_ports_are_refused_and_named(self, city: PublicBundle) -> None:
        member = replace(CITY, peer=PeerNode(CITY.peer.host, 7051, CITY.peer.operations_port))
        refused(
            PublicBundle(member, city.material),
            r"has peer\.port = 7051, the topology 17050: agree with Iizuka City",
        )

    def test_an_orderer_that_the_topology_does_not_have_is_refused(self, city: PublicBundle) -> None:
        with pytest.raises(BundleError, match=r"has orderer\.\w+ = .*, the topology nothing"):
            check_bundle(city, replace(CITY, orderer=None), NOW)

    def test_an_expired_one_is_refused_and_what_expired_is_named(self, city: PublicBundle) -> None:
        with pytest.raises(BundleError, match="of iizuka: the orderer certificate expired at 2029"):
            check_bundle(city, CITY, NOW + timedelta(days=826))
        with pytest.raises(BundleError, match="of iizuka: the CA certificate expired at 2036"):
            check_bundle(city, CITY, NOW + timedelta(days=3651))

    def test_one_from_the_future_is_refused(self, city: PublicBundle) -> None:
        with pytest.raises(BundleError, match="is a clock wrong"):
            check_bundle(city, CITY, NOW - timedelta(days=1))

    def test_a_peers_certificate_is_no_orderers(self, folders: list[Layout], city: PublicBundle) -> None:
        home = folders[0].members / CITY.id
        certificate = (home / "peers/peer0/msp/signcerts/cert.pem").read_bytes()
        refused(
            with_material(city, orderer_certificate=certificate), "is for the role peer; expected orderer"
        )

    def test_a_tls_certificate_for_another_host_is_refused(
        self, folders: list[Layout], city: PublicBundle
    ) -> None:
        certificate = self.tls_certificate(folders[0], ["orderer.elsewhere"])
        refused(
            with_material(city, orderer_tls_certificate=certificate),
            r"the orderer TLS certificate is for orderer\.elsewhere; expected one for the host 127\.0\.0\.1",
        )

    @pytest.mark.parametrize(
        ("name", "host", "fits"),
        [
            ("*.example.org", "orderer.example.org", True),
            ("*.example.org", "example.org", False),
            ("*.example.org", "a.b.example.org", False),
            ("Orderer.Example.org", "orderer.example.ORG", True),
        ],
    )
    def test_a_star_stands_for_one_label(
        self, folders: list[Layout], city: PublicBundle, name: str, host: str, fits: bool
    ) -> None:
        assert CITY.orderer is not None
        member = replace(CITY, orderer=replace(CITY.orderer, host=host))
        material = replace(
            city.material,
            orderer_tls_certificate=self.tls_certificate(folders[0], [name]),
            orderer_host=host,
        )
        if fits:
            check_bundle(PublicBundle(member, material), member, NOW)
        else:
            with pytest.raises(BundleError, match="expected one for the host"):
                check_bundle(PublicBundle(member, material), member, NOW)

    def test_a_tls_certificate_from_the_other_ca_is_refused(self, city: PublicBundle) -> None:
        refused(
            with_material(city, orderer_tls_certificate=city.material.orderer_certificate),
            "the orderer TLS certificate is not from its TLS CA",
        )

    def test_a_tls_certificate_for_servers_only_is_refused(self, city: PublicBundle) -> None:
        ca = ThrowawayCa.root("tls")
        usage = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH])
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        identity = ca.issue(extensions=[(usage, False), (names, False)])
        assert CITY.orderer is not None
        member = replace(CITY, orderer=replace(CITY.orderer, host="localhost"))
        material = replace(
            city.material,
            tls_ca_certificates=(ca.certificate.public_bytes(Encoding.PEM),),
            orderer_tls_certificate=identity.identity.certificate_pem,
            orderer_host="localhost",
        )
        with pytest.raises(BundleError, match="may not be used for clientAuth"):
            check_bundle(PublicBundle(member, material), member, NOW)

    def test_a_ca_that_is_none_is_refused(self, city: PublicBundle) -> None:
        refused(
            with_material(city, ca_certificates=(city.material.orderer_certificate,)),
            "make no MSP: .*did not have the CA attribute",
        )

    @pytest.mark.parametrize("field", ["ca_certificates", "tls_ca_certificates"])
    def test_no_ca_is_refused(self, city: PublicBundle, field: str) -> None:
        refused(with_material(city, **{field: ()}), "expected at least one")

    def test_a_revocation_list_of_another_ca_is_refused(self, city: PublicBundle) -> None:
        stranger = ThrowawayCa.root()
        refused(
            with_material(city, revocation_lists=(stranger.revoke(),)),
            "list 0 is not signed by any of its CAs",
        )

    def test_a_revoked_orderer_is_refused(
        self, folders: list[Layout], city: PublicBundle, tmp_path: Path
    ) -> None:
        create_member(tmp_path, CITY, now=NOW)
        home = tmp_path / CITY.id
        used = home / "orderers/orderer0/msp/signcerts/cert.pem"
        aside = used.rename(tmp_path / "old.pem")
        revoke(home, aside, now=NOW)
        used.write_bytes(aside.read_bytes())
        refused(local_bundle(tmp_path, CITY), "has been revoked")

    def test_two_members_with_one_ca_are_refused(self, bundles: list[PublicBundle]) -> None:
        shared = with_material(bundles[1], ca_certificates=bundles[0].material.ca_certificates)
        with pytest.raises(BundleError, match="iizuka and chaintope have the same CA"):
            check_distinct([bundles[0], shared])

    @staticmethod
    def tls_certificate(layout: Layout, hosts: list[str]) -> bytes:
        folder = layout.members / CITY.id / "tlsca"
        ca = load_pair(folder / "cert.pem", folder / "key.pem")
        key = ec.generate_private_key(ec.SECP256R1())
        pair = certificates.tls_server(ca, "o", "n", hosts, key, 1, Period.of_days(NOW, 9))
        return pair.certificate_pem


class TestWhereABundleComesFrom:
    def test_a_members_own_is_made_from_its_folder(self, folders: list[Layout], city: PublicBundle) -> None:
        assert bundle_of(folders[0], CITY) == city.material

    def test_anothers_is_the_one_received(
        self, folders: list[Layout], bundles: list[PublicBundle], tmp_path: Path
    ) -> None:
        layout = Layout(tmp_path)
        layout.bundles.mkdir()
        bundle_path(layout, OTHER).write_bytes(render_bundle(bundles[1]))
        assert bundle_of(layout, OTHER) == bundles[1].material

    def test_a_missing_one_is_named_with_how_to_get_it(self, tmp_path: Path) -> None:
        with pytest.raises(
            BundleError, match=r"no bundle of chaintope: .*member export chaintope.*member add"
        ):
            bundle_of(Layout(tmp_path), OTHER)

    def test_one_that_the_topology_has_left_behind_is_refused(
        self, bundles: list[PublicBundle], tmp_path: Path
    ) -> None:
        layout = Layout(tmp_path)
        layout.bundles.mkdir()
        bundle_path(layout, OTHER).write_bytes(render_bundle(bundles[1]))
        moved = replace(OTHER, peer=replace(OTHER.peer, port=9))
        with pytest.raises(BundleError, match=r"peer\.port"):
            bundle_of(layout, moved)


class TestTheGenesisBlock:
    def test_is_the_same_on_every_members_machine(
        self, folders: list[Layout], bundles: list[PublicBundle]
    ) -> None:
        blocks = set()
        for layout, own in zip(folders, TOPOLOGY.members, strict=True):
            layout.bundles.mkdir(exist_ok=True)
            for bundle, member in zip(bundles, TOPOLOGY.members, strict=True):
                if member.id != own.id:
                    bundle_path(layout, member).write_bytes(render_bundle(bundle))
            contributions = collect(layout, TOPOLOGY, NOW)
            assert [each.local for each in contributions] == [m.id == own.id for m in TOPOLOGY.members]
            blocks.add(
                build(TOPOLOGY, [each.bundle.material for each in contributions]).SerializeToString(
                    deterministic=True
                )
            )
        assert len(blocks) == 1

    def test_all_missing_bundles_are_named_at_once(self, tmp_path: Path) -> None:
        with pytest.raises(BundleError, match="no bundle of iizuka, chaintope, haw, kaguya, gcom"):
            collect(Layout(tmp_path), TOPOLOGY, NOW)

    def test_another_block_is_replaced_by_force_only_and_never_below_a_ledger(
        self, bundles: list[PublicBundle], tmp_path: Path
    ) -> None:
        block, other = (
            build(
                replace(TOPOLOGY, channel=channel),
                [bundle.material for bundle in bundles],
            )
            for channel in ("one", "other")
        )
        path = tmp_path / "genesis.block"
        assert write_genesis(path, block, force=False, has_ledger=False)
        assert not write_genesis(path, block, force=False, has_ledger=True)
        with pytest.raises(GenesisExistsError, match="--force"):
            write_genesis(path, other, force=False, has_ledger=False)
        assert write_genesis(path, other, force=True, has_ledger=False)
        with pytest.raises(GenesisExistsError, match="another block and there is a ledger"):
            write_genesis(path, block, force=True, has_ledger=True)
        path.unlink()
        with pytest.raises(GenesisExistsError, match="is missing and there is a ledger"):
            write_genesis(path, block, force=True, has_ledger=True)


def test_an_orderer_is_given_whole_or_not_at_all(city: PublicBundle) -> None:
    with pytest.raises(ShirushiError, match="orderer without orderer_port"):
        replace(city.material, orderer_port=None)


def test_a_bundle_names_the_roles_its_certificates_have(city: PublicBundle) -> None:
    assert isinstance(city.material, MemberBundle)
    assert city.material.orderer_certificate is not None
    certificate = load_certificate(city.material.orderer_certificate)
    assert f"OU={Role.ORDERER}" in certificate.subject.rfc4514_string()


def refused(bundle: PublicBundle, says: str) -> None:
    with pytest.raises(BundleError, match=says):
        check_bundle(bundle, CITY, NOW)


def without(value: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: each for key, each in value.items() if key != name}
