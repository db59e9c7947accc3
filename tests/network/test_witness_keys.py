"""A member's witness keys: made once, kept, completed where a folder is from before, and shown with proofs."""

from __future__ import annotations

import json
import shutil
import ssl
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.foreign_pki import ForeignPki

from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.checkpoint import (
    Checkpoint,
    cosign,
    sign_as_log,
    verify_cosignature,
    verify_log_signature,
)
from shirushi_network.bundle_checks import check_bundle, check_distinct
from shirushi_network.genesis_ceremony import build
from shirushi_network.import_keys import import_member
from shirushi_network.member_bundle import (
    BundleError,
    PublicBundle,
    fingerprint,
    local_bundle,
    parse_bundle,
    render_bundle,
)
from shirushi_network.member_keys import CERTIFICATE_DAYS, MemberKeysError, create_member
from shirushi_network.member_parts import PartName
from shirushi_network.renewal import renew
from shirushi_network.topology import Member, WitnessNode, default_topology
from shirushi_network.witness_keys import KEY_FILES, complete_witness, has_witness_keys, load_witness_secrets

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
TOPOLOGY = default_topology()
CITY, OTHER = TOPOLOGY.members[:2]
LEDGER = "shirushi-test"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    create_member(tmp_path, CITY, now=NOW)
    return tmp_path / CITY.id


@pytest.fixture
def old_home(tmp_path: Path) -> Path:
    """A folder from before members had witnesses."""
    create_member(tmp_path, replace(CITY, witness=None), now=NOW)
    return tmp_path / CITY.id


def completed(home: Path, member: Member = CITY) -> bool:
    return complete_witness(home, member, NOW, CERTIFICATE_DAYS)


def keys_of(home: Path) -> dict[str, bytes]:
    return {name: (home / "witness" / name).read_bytes() for name in KEY_FILES}


def test_they_sign_checkpoints_under_the_ledger_s_and_the_member_s_names(home: Path) -> None:
    secrets = load_witness_secrets(home)
    public = secrets.public_keys(CITY.id)
    checkpoint = Checkpoint(f"shirushi/{LEDGER}", 3, b"\1" * 32)
    verify_log_signature(checkpoint, sign_as_log(checkpoint, secrets.log), public.log_key(LEDGER))
    key = public.cosigner_key(LEDGER, CITY.id)
    assert key.name == "shirushi/shirushi-test/iizuka"
    assert verify_cosignature(checkpoint, cosign(checkpoint, key.name, secrets.cosigner, 9), key).time == 9


def test_possession_is_proved_of_each_and_only_for_this_member(home: Path) -> None:
    public = load_witness_secrets(home).public_keys(CITY.id)
    public.verify_possession(CITY.id)
    with pytest.raises(ShirushiError, match="chaintope has the private part of its log key"):
        public.verify_possession("chaintope")
    for name in ("log_possession", "cosigner_possession"):
        with pytest.raises(ShirushiError, match=f"{name.partition('_')[0]} key does not hold"):
            replace(public, **{name: b"\0" * 64}).verify_possession(CITY.id)
    with pytest.raises(ShirushiError, match="proof of possession"):
        replace(public, bls_possession=b"\0" * 96).verify_possession(CITY.id)


def test_a_member_without_a_witness_has_none(old_home: Path) -> None:
    assert not completed(old_home, replace(CITY, witness=None))
    assert not (old_home / "witness").exists()


def test_a_folder_from_before_is_completed_once(old_home: Path) -> None:
    with pytest.raises(MemberKeysError, match="has no keys for the witness of iizuka"):
        local_bundle(old_home.parent, CITY)
    assert completed(old_home)
    made = keys_of(old_home)
    assert not completed(old_home)
    assert keys_of(old_home) == made
    check_bundle(local_bundle(old_home.parent, CITY), CITY, NOW)
    tls = old_home / "witness" / "tls"
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls / "server.crt", tls / "server.key")
    assert not [path for path in old_home.iterdir() if path.name.startswith(".")]
    for path in (*((old_home / "witness" / name) for name in KEY_FILES), tls / "server.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_renewing_completes_it_too_and_never_changes_its_keys(old_home: Path) -> None:
    renew(old_home, CITY, now=NOW + timedelta(days=1))
    made = keys_of(old_home)
    before = (old_home / "witness" / "tls" / "server.crt").read_bytes()
    (again,) = renew(old_home, CITY, [PartName.WITNESS_TLS], now=NOW + timedelta(days=2))
    assert again.follows == "restart the witness"
    assert (old_home / "witness" / "tls" / "server.crt").read_bytes() != before
    assert keys_of(old_home) == made


def test_a_member_without_a_witness_has_no_certificate_of_it_to_renew(home: Path) -> None:
    with pytest.raises(MemberKeysError, match="iizuka has no witness-tls: it runs no witness"):
        renew(home, replace(CITY, witness=None), [PartName.WITNESS_TLS], now=NOW)


@pytest.mark.parametrize("lost", KEY_FILES)
def test_one_that_was_lost_is_named_and_none_is_made_in_its_place(home: Path, lost: str) -> None:
    (home / "witness" / lost).unlink()
    for action in (lambda: has_witness_keys(home), lambda: completed(home)):
        with pytest.raises(MemberKeysError, match=f"witness lacks {lost}: put it back from a backup"):
            action()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("log.key", b"nothing", r"log\.key: expected an unencrypted Ed25519 key"),
        ("cosigner.key", None, r"cosigner\.key: expected an Ed25519 key, found another kind"),
        ("bls.key", b"ab" * 31, r"bls\.key: expected a seed of 32 bytes"),
        ("bls.key", b"AB" * 32, r"bls\.key: expected a seed of 32 bytes"),
    ],
)
def test_one_that_is_spoilt_is_named(home: Path, name: str, content: bytes | None, says: str) -> None:
    other_kind = (home / "witness" / "tls" / "server.key").read_bytes()
    (home / "witness" / name).write_bytes(other_kind if content is None else content)
    with pytest.raises(MemberKeysError, match=says):
        load_witness_secrets(home)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("members")
    for member in (CITY, OTHER):
        create_member(root, member, now=NOW)
    return root


@pytest.fixture(scope="module")
def city(root: Path) -> PublicBundle:
    return local_bundle(root, CITY)


@pytest.fixture(scope="module")
def other(root: Path) -> PublicBundle:
    return local_bundle(root, OTHER)


class TestInTheBundle:
    def test_keys_and_proofs_are_in_the_file_and_change_its_fingerprint(
        self, city: PublicBundle, other: PublicBundle
    ) -> None:
        assert json.loads(render_bundle(city))["witness"].keys() == {
            *("log", "cosigner", "bls"),
            *("log_possession", "cosigner_possession", "bls_possession"),
        }
        assert fingerprint(replace(city, witness=other.witness)) != fingerprint(city)

    def test_a_member_without_one_has_the_bundle_it_had_before_there_were_witnesses(
        self, tmp_path: Path
    ) -> None:
        member = replace(CITY, witness=None)
        create_member(tmp_path, member, now=NOW)
        bundle = local_bundle(tmp_path, member)
        value = json.loads(render_bundle(bundle))
        assert not {"witness", "admin_certificate"} & {*value, *value["member"]}
        assert parse_bundle(render_bundle(bundle)) == bundle
        with pytest.raises(BundleError, match=r"has witness\.host = nothing, the topology 127\.0\.0\.1"):
            check_bundle(bundle, CITY, NOW)

    def test_keys_of_somebody_else_are_refused(self, city: PublicBundle, other: PublicBundle) -> None:
        says = "its witness's keys: the proof that iizuka has the private part of its log key does not hold"
        with pytest.raises(BundleError, match=says):
            check_bundle(replace(city, witness=other.witness), CITY, NOW)

    def test_two_members_with_one_key_are_refused(self, city: PublicBundle, other: PublicBundle) -> None:
        assert city.witness is not None
        assert other.witness is not None
        for name in ("log", "cosigner", "bls"):
            twin = replace(other, witness=replace(other.witness, **{name: getattr(city.witness, name)}))
            with pytest.raises(BundleError, match="iizuka and chaintope have the same witness key"):
                check_distinct([city, twin])

    def test_an_admin_certificate_of_another_role_is_refused(self, root: Path, city: PublicBundle) -> None:
        client = (root / CITY.id / "users/client/msp/signcerts/cert.pem").read_bytes()
        with pytest.raises(BundleError, match="the admin certificate is for the role client; expected admin"):
            check_bundle(replace(city, admin_certificate=client), CITY, NOW)

    def test_the_channel_knows_nothing_of_it(self, city: PublicBundle) -> None:
        block = build(replace(TOPOLOGY, members=(CITY,), quorum=1), [city.material]).SerializeToString()
        assert city.material.ca_certificates[0] in block
        assert city.witness is not None
        assert city.admin_certificate is not None
        for public in (city.witness.log, city.witness.cosigner, city.witness.bls, city.admin_certificate):
            assert public not in block


class TestAMemberWhoseCertificatesComeFromElsewhere:
    @pytest.fixture
    def pki(self) -> ForeignPki:
        return ForeignPki.make()

    def test_makes_witness_keys_of_its_own_and_keeps_them_when_certificates_are_replaced(
        self, pki: ForeignPki, tmp_path: Path
    ) -> None:
        root = tmp_path / "members"
        folder = pki.write(tmp_path / "foreign", CITY)
        import_member(root, CITY, folder, now=NOW)
        made = keys_of(root / CITY.id)
        import_member(root, CITY, pki.write(tmp_path / "renewed", CITY), now=NOW, replace=True)
        assert keys_of(root / CITY.id) == made
        bundle = local_bundle(root, CITY)
        check_bundle(parse_bundle(render_bundle(bundle)), CITY, NOW)

    def test_shows_its_peer_s_tls_certificate_unless_there_is_one_for_the_witness(
        self, pki: ForeignPki, tmp_path: Path
    ) -> None:
        folder = pki.write(tmp_path / "foreign", CITY)
        imported = import_member(tmp_path / "first", CITY, folder, now=NOW)
        assert imported.taken[PartName.WITNESS_TLS] == imported.taken[PartName.PEER_TLS]
        (folder / "witness").mkdir()
        shutil.copytree(folder / "orderers" / "orderer.example" / "tls", folder / "witness" / "tls")
        own = import_member(tmp_path / "second", CITY, folder, now=NOW)
        assert own.taken[PartName.WITNESS_TLS] == folder / "witness" / "tls"

    def test_needs_one_that_names_the_witness_s_host(self, pki: ForeignPki, tmp_path: Path) -> None:
        far = replace(CITY, witness=WitnessNode("witness.iizuka.example", 17057))
        with pytest.raises(
            ShirushiError, match=r"witness-tls certificate .* the host witness\.iizuka\.example"
        ):
            import_member(tmp_path / "members", far, pki.write(tmp_path / "foreign", far), now=NOW)

    def test_whose_folder_is_from_before_shows_its_peer_s_on_the_same_host_only(
        self, pki: ForeignPki, tmp_path: Path
    ) -> None:
        before = replace(CITY, witness=None)
        import_member(tmp_path, before, pki.write(tmp_path / "foreign", before), now=NOW)
        home = tmp_path / CITY.id
        with pytest.raises(MemberKeysError, match="takes over one for its witness"):
            completed(home, replace(CITY, witness=WitnessNode("witness.example", 1)))
        assert completed(home)
        peer = home / "peers" / "peer0" / "tls"
        assert (home / "witness/tls/server.crt").read_bytes() == (peer / "server.crt").read_bytes()
