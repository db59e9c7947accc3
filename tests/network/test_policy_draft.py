"""Trust policies out of topology and bundles: the first, what follows it, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.foreign_pki import ForeignPki

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.policy_update import check_following
from shirushi_core.proofs.seal_certificate import verify_seal_chain
from shirushi_core.proofs.status_max_age import StatusMaxAge
from shirushi_core.proofs.trust_policy import KeyUse, TrustPolicy
from shirushi_core.proofs.window import Window
from shirushi_network.layout import Layout
from shirushi_network.member_bundle import PublicBundle, local_bundle
from shirushi_network.member_keys import create_member
from shirushi_network.member_parts import PartName
from shirushi_network.policy_draft import PolicyDraftError, PolicySources, first_policy, next_policy
from shirushi_network.policy_files import city_seal
from shirushi_network.policy_words import describe_policy, describe_policy_change
from shirushi_network.renewal import renew
from shirushi_network.topology import Topology, default_topology, member_on

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
LATER = AT + 1_000_000
TOPOLOGY = default_topology()
SIXTH = member_on("sixth", "SixthMSP", "六番目", "Sixth", "127.0.0.1", range(17100, 17108))


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    layout = Layout(tmp_path_factory.mktemp("data"))
    for member in (*TOPOLOGY.members, SIXTH):
        create_member(layout.members, member, now=NOW)
    return layout


@pytest.fixture(scope="module")
def sources(layout: Layout) -> PolicySources:
    return sources_of(layout, TOPOLOGY)


@pytest.fixture(scope="module")
def first(sources: PolicySources) -> TrustPolicy:
    return first_policy(sources, issued_at=AT)


def sources_of(layout: Layout, topology: Topology) -> PolicySources:
    seal = city_seal(layout, topology)
    assert seal is not None
    return PolicySources(topology, [local_bundle(layout.members, each) for each in topology.members], [seal])


def with_bundles(sources: PolicySources, bundles: Sequence[PublicBundle], quorum: int = 3) -> PolicySources:
    members = tuple(bundle.member for bundle in bundles)
    topology = replace(sources.topology, members=members, quorum=quorum)
    return replace(sources, topology=topology, bundles=bundles)


class TestTheFirst:
    def test_names_every_member_with_its_keys_and_its_witness(
        self, first: TrustPolicy, sources: PolicySources
    ) -> None:
        assert (first.ledger, first.version, first.issued_at, first.expires_at) == (
            "shirushi-test",
            1,
            AT,
            AT + 365 * 86400,
        )
        assert [member.id for member in first.members] == [member.id for member in TOPOLOGY.members]
        for member, bundle in zip(first.members, sources.bundles, strict=True):
            assert bundle.witness is not None
            keys = {key.use: key.public_key for key in member.keys}
            assert keys.keys() == set(KeyUse)
            assert keys[KeyUse.LOG] == bundle.witness.log
            assert keys[KeyUse.COSIGNER] == bundle.witness.cosigner
            assert keys[KeyUse.BLS] == bundle.witness.bls
            assert member.witness is not None
            assert bundle.member.witness is not None
            assert member.witness.url == bundle.member.witness.url
            assert member.witness.tls_root == b"".join(bundle.material.tls_ca_certificates).decode()

    def test_begins_when_the_last_admin_got_its_certificate(self, first: TrustPolicy) -> None:
        begin = AT - 300  # certificates begin five minutes before they are made
        assert {member.window for member in first.members} == {Window(begin)}
        assert [(rule.quorum, rule.window) for rule in first.quorums] == [(3, Window(begin))]

    def test_has_the_city_s_seal_under_its_ca_for_as_long_as_its_certificate_lasts(
        self, first: TrustPolicy
    ) -> None:
        (issuer,) = first.issuers
        (seal,) = issuer.seals
        assert (issuer.id, issuer.name_ja, len(seal.chain)) == ("iizuka-city", "飯塚市", 2)
        certificate = verify_seal_chain(seal.chain, AT)
        assert seal.window == Window(AT - 300, int(certificate.not_valid_after_utc.timestamp()))

    def test_is_the_same_for_whoever_makes_it(self, sources: PolicySources, first: TrustPolicy) -> None:
        assert first_policy(sources, issued_at=AT).fingerprint == first.fingerprint
        assert TrustPolicy.from_json(first.to_json()) == first

    def test_has_no_admin_key_of_a_member_whose_admin_s_is_not_on_p_256(self, sources: PolicySources) -> None:
        signer = ForeignPki.make().ca.issue("admin", key=ec.generate_private_key(ec.SECP384R1()))
        bundle = replace(sources.bundles[1], admin_certificate=signer.identity.certificate_pem)
        policy = first_policy(with_bundles(sources, [sources.bundles[0], bundle], quorum=2), issued_at=AT)
        found = [KeyUse.POLICY in {key.use for key in member.keys} for member in policy.members]
        assert found == [True, False]

    def test_is_refused_with_fewer_members_than_the_quorum(self, sources: PolicySources) -> None:
        few = PolicySources(TOPOLOGY, sources.bundles[:2])
        with pytest.raises(InvalidInputError, match="found 3"):
            first_policy(few, issued_at=AT)

    def test_is_refused_without_any_witness_or_without_its_keys(self, sources: PolicySources) -> None:
        with pytest.raises(PolicyDraftError, match="no member runs a witness"):
            first_policy(PolicySources(TOPOLOGY, []), issued_at=AT)
        bare = [replace(bundle, witness=None) for bundle in sources.bundles]
        with pytest.raises(PolicyDraftError, match="the bundle of iizuka has no witness keys"):
            first_policy(PolicySources(TOPOLOGY, bare), issued_at=AT)

    def test_says_how_old_a_status_may_be_and_ends_when_it_is_told_to(self, sources: PolicySources) -> None:
        assert first_policy(sources, issued_at=AT).status_max_age == StatusMaxAge(7 * 86400)
        ages = StatusMaxAge.of(3600, {"income": 60})
        policy = first_policy(sources, issued_at=AT, expires_at=None, status_max_age=ages)
        assert (policy.expires_at, policy.status_max_age) == (None, ages)


class TestTheNext:
    def test_ends_a_year_after_it_was_issued_and_keeps_how_old_a_status_may_be(
        self, first: TrustPolicy, sources: PolicySources
    ) -> None:
        ages = StatusMaxAge.of(3600, {})
        following = next_policy(first, sources, issued_at=LATER, status_max_age=ages)
        assert (following.expires_at, following.status_max_age) == (LATER + 365 * 86400, ages)
        again = next_policy(following, sources, issued_at=LATER + 9, expires_at=None)
        assert (again.expires_at, again.status_max_age) == (None, ages)
        old = replace(first, status_max_age=None)
        assert next_policy(old, sources, issued_at=LATER, expires_at=None).status_max_age is None

    def test_is_not_made_where_nothing_changed(self, first: TrustPolicy, sources: PolicySources) -> None:
        with pytest.raises(PolicyDraftError, match="there is nothing to change"):
            next_policy(first, sources, issued_at=LATER)

    def test_may_change_how_long_it_is_good_for_alone(
        self, first: TrustPolicy, sources: PolicySources
    ) -> None:
        following = next_policy(first, sources, issued_at=LATER, expires_at=LATER + 9)
        check_following(first, following)
        assert following == replace(first, version=2, issued_at=LATER, expires_at=LATER + 9)

    def test_ends_a_member_that_left_and_keeps_its_keys(
        self, first: TrustPolicy, sources: PolicySources
    ) -> None:
        following = next_policy(first, with_bundles(sources, sources.bundles[:4]), issued_at=LATER)
        check_following(first, following)
        gone, before = following.member("gcom"), first.member("gcom")
        assert gone is not None
        assert before is not None
        assert (gone.window, gone.witness, gone.keys) == (Window(AT - 300, LATER), None, before.keys)
        assert following.members[:4] == first.members[:4]

    def test_lets_no_member_come_back_under_an_id_that_ended(
        self, first: TrustPolicy, sources: PolicySources
    ) -> None:
        following = next_policy(first, with_bundles(sources, sources.bundles[:4]), issued_at=LATER)
        with pytest.raises(PolicyDraftError, match=r"gcom was a member until .* under another id"):
            next_policy(following, sources, issued_at=LATER + 100)

    def test_begins_a_new_member_and_the_quorum_that_comes_with_it(
        self, first: TrustPolicy, sources: PolicySources, layout: Layout
    ) -> None:
        six = [*sources.bundles, local_bundle(layout.members, SIXTH)]
        with pytest.raises(InvalidInputError, match="more than half of the 6 members"):
            next_policy(first, with_bundles(sources, six), issued_at=LATER)
        following = next_policy(first, with_bundles(sources, six, quorum=4), issued_at=LATER)
        check_following(first, following)
        sixth = following.member("sixth")
        assert sixth is not None
        assert {sixth.window, *(key.window for key in sixth.keys)} == {Window(LATER + 1)}
        assert [following.quorum_at(at) for at in (AT, LATER, LATER + 1)] == [3, 3, 4]
        assert [len(following.members_at(at)) for at in (AT, LATER, LATER + 1)] == [5, 5, 6]

    def test_ends_a_key_that_was_changed_and_begins_the_new_one_a_second_later(
        self, first: TrustPolicy, sources: PolicySources, tmp_path: Path
    ) -> None:
        city = TOPOLOGY.members[0]
        create_member(tmp_path, city, now=NOW)
        other = local_bundle(tmp_path, city)
        following = next_policy(first, with_bundles(sources, [other, *sources.bundles[1:]]), issued_at=LATER)
        check_following(first, following)
        before, after = first.members[0], following.members[0]
        assert after.window == before.window
        windows = {(key.use, key.public_key): key.window for key in after.keys}
        assert len(windows) == 8
        for key in before.keys:
            assert windows.pop((key.use, key.public_key)) == Window(AT - 300, LATER)
        assert set(windows.values()) == {Window(LATER + 1)}
        with pytest.raises(PolicyDraftError, match=r"key of iizuka has ended on .* makes another one"):
            next_policy(following, sources, issued_at=LATER + 100)

    def test_follows_an_admin_s_renewed_key(self, first: TrustPolicy, tmp_path: Path) -> None:
        layout = Layout(tmp_path)
        for member in TOPOLOGY.members:
            create_member(layout.members, member, now=NOW)
        policy = first_policy(sources_of(layout, TOPOLOGY), issued_at=AT)
        renew(layout.members / "haw", TOPOLOGY.member("haw"), [PartName.ADMIN], now=NOW + timedelta(days=1))
        following = next_policy(policy, sources_of(layout, TOPOLOGY), issued_at=LATER)
        check_following(policy, following)
        changed = [member.id for member in following.members if policy.member(member.id) != member]
        assert changed == ["haw"]

    def test_adds_a_new_seal_and_keeps_the_old_one(
        self, first: TrustPolicy, sources: PolicySources, tmp_path: Path
    ) -> None:
        layout = Layout(tmp_path)
        create_member(layout.members, TOPOLOGY.members[0], now=NOW)
        seal = city_seal(layout, TOPOLOGY)
        assert seal is not None
        further = replace(seal, id="office", name_en="Office")
        following = next_policy(first, replace(sources, seals=[seal, further]), issued_at=LATER)
        check_following(first, following)
        assert [(issuer.id, len(issuer.seals)) for issuer in following.issuers] == [
            ("iizuka-city", 2),
            ("office", 1),
        ]
        assert following.issuers[0].seals[0] == first.issuers[0].seals[0]

    def test_of_another_ledger_is_refused(self, first: TrustPolicy, sources: PolicySources) -> None:
        other = replace(sources, topology=replace(TOPOLOGY, channel="other-test"))
        with pytest.raises(
            PolicyDraftError, match=r"of the ledger shirushi-test, and topology\.toml of other-test"
        ):
            next_policy(first, other, issued_at=LATER)

    def test_is_never_issued_before_the_present_one(self, first: TrustPolicy, sources: PolicySources) -> None:
        following = next_policy(first, with_bundles(sources, sources.bundles[:4]), issued_at=AT - 1000)
        check_following(first, following)
        assert following.issued_at == AT


class TestInSentences:
    def test_all_that_a_policy_says(self, first: TrustPolicy) -> None:
        said = "\n".join(describe_policy(first))
        assert (
            "trust policy of shirushi-test, version 1, of 2026-11-01 12:00:00Z; good until 2027-11-01 12:00:00Z"
            in said
        )
        assert "a status may be 7d old" in said
        assert "good until there is a newer one" in describe_policy(replace(first, expires_at=None))[0]
        assert "quorum: 3 members have to agree from 2026-11-01 11:55:00Z on" in said
        assert "iizuka (飯塚市 / Iizuka City): a member from" in said
        for member in first.members:
            for key in member.keys:
                assert key.key_id.hex()[:16] in said
            assert member.witness is not None
            assert f"{member.id}: witness at {member.witness.url}, TLS from CN=tlsca.{member.id}" in said
        assert "the issuer iizuka-city (飯塚市 / Iizuka City): seal CN=seal.iizuka" in said
        assert " below CN=ca.iizuka" in said

    def test_of_a_change_only_what_differs(self, first: TrustPolicy, sources: PolicySources) -> None:
        following = next_policy(
            first, with_bundles(sources, sources.bundles[:4]), issued_at=LATER, expires_at=LATER
        )
        head, gone, witness = describe_policy_change(first, following)
        assert head.endswith("version 2, of 2026-11-13 01:46:40Z; good until 2026-11-13 01:46:40Z")
        assert gone == (
            "gcom (Gcomホールディングス / Gcom Holdings): a member from 2026-11-01 11:55:00Z on → from 2026-11-01 11:55:00Z to "
            "2026-11-13 01:46:40Z"
        )
        assert witness.startswith("gcom: witness at https://127.0.0.1:17097")
        assert witness.endswith("→ no witness")

    @pytest.mark.parametrize(
        ("what", "says"),
        [
            ("member", "gcom (Gcomホールディングス / Gcom Holdings) is left out"),
            ("key", "is left out"),
            ("quorum", "quorum: no more: 3 members have to agree"),
            ("issuer", "the issuer iizuka-city (飯塚市 / Iizuka City) is left out"),
            ("name", "iizuka: called 飯塚市 / Iizuka City → 飯塚市 / Elsewhere"),
            ("ledger", "ledger: shirushi-test → other-test"),
            ("seal", "iizuka-city: no more: seal"),
            ("age", "a status may be 7d old → a status may be 1h old, of income 90s"),
            ("no age", "a status may be 7d old → a status may be 7d old, for it says nothing else"),
        ],
    )
    def test_also_what_may_not_be_taken_back(self, first: TrustPolicy, what: str, says: str) -> None:
        city = first.members[0]
        changed = {
            "member": replace(first, members=first.members[:4]),
            "key": replace(first, members=(replace(city, keys=city.keys[1:]), *first.members[1:])),
            "quorum": replace(first, quorums=(replace(first.quorums[0], quorum=4),)),
            "issuer": replace(first, issuers=()),
            "name": replace(first, members=(replace(city, name_en="Elsewhere"), *first.members[1:])),
            "ledger": replace(first, ledger="other-test"),
            "age": replace(first, status_max_age=StatusMaxAge.of(3600, {"income": 90})),
            "no age": replace(first, status_max_age=None),
            "seal": replace(first, issuers=(replace(first.issuers[0], seals=()),)),
        }[what]
        assert any(says in sentence for sentence in describe_policy_change(first, changed))
