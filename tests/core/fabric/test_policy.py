from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import pytest
from fabric_protos.common import configtx_pb2, policies_pb2
from fabric_protos.peer import policy_pb2
from hypothesis import given
from hypothesis import strategies as st
from tests.support.throwaway_ca import EXPIRED, NOW, ThrowawayCa

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.msp import MspManager, ValidIdentity
from shirushi_core.fabric.policy import (
    Policy,
    PolicyError,
    PolicyTree,
    SignedData,
    application_policy,
    endorsement_layouts,
    evaluate_signed_data,
    parse_policy_text,
    signature_policy,
    valid_signers,
)

ORGS = ("Org1MSP", "Org2MSP", "Org3MSP")
META = policies_pb2.ImplicitMetaPolicy


@dataclass(frozen=True)
class People:
    """Two peers, a client and an admin of each organisation."""

    signers: dict[str, SigningIdentity]
    valid: dict[str, ValidIdentity]


@pytest.fixture(scope="session")
def people(ca: ThrowawayCa, other_ca: ThrowawayCa, third_ca: ThrowawayCa, msps: MspManager) -> People:
    signers = {
        f"{each.msp_id}.{role}{number}": each.issue(role)
        for each in (ca, other_ca, third_ca)
        for role, number in (("peer", 0), ("peer", 1), ("client", 0), ("admin", 0))
    }
    valid = {name: msps.validate(each.identity.serialized, NOW) for name, each in signers.items()}
    return People(signers, valid)


def policy(text: str) -> Policy:
    return signature_policy(parse_policy_text(text), MspManager([]))


def satisfied(judged: Policy, *identities: ValidIdentity) -> bool:
    try:
        judged.evaluate(identities)
    except PolicyError:
        return False
    return True


class TestSignaturePolicies:
    @pytest.mark.parametrize(
        ("text", "names", "holds"),
        [
            ("OR('Org1MSP.peer', 'Org2MSP.peer')", ["Org2MSP.peer0"], True),
            ("OR('Org1MSP.peer', 'Org2MSP.peer')", ["Org3MSP.peer0"], False),
            ("OR('Org1MSP.peer', 'Org2MSP.peer')", ["Org1MSP.client0"], False),
            ("AND('Org1MSP.peer', 'Org2MSP.peer')", ["Org1MSP.peer0"], False),
            ("AND('Org1MSP.peer', 'Org2MSP.peer')", ["Org2MSP.peer0", "Org1MSP.peer0"], True),
            ("OutOf(2, 'Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')", ["Org1MSP.peer0"], False),
            (
                "OutOf(2, 'Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')",
                ["Org1MSP.peer0", "Org3MSP.peer0"],
                True,
            ),
            (
                "AND('Org1MSP.member', OR('Org2MSP.admin', 'Org3MSP.client'))",
                ["Org1MSP.peer0", "Org3MSP.client0"],
                True,
            ),
        ],
    )
    def test_gates(self, people: People, text: str, names: list[str], holds: bool) -> None:
        assert satisfied(policy(text), *(people.valid[name] for name in names)) is holds

    def test_one_identity_satisfies_one_leaf_only(self, people: People) -> None:
        both = policy("AND('Org1MSP.peer', 'Org1MSP.member')")
        assert not satisfied(both, people.valid["Org1MSP.peer0"])
        assert satisfied(both, people.valid["Org1MSP.peer0"], people.valid["Org1MSP.peer1"])

    def test_a_gate_that_fails_uses_nobody_up(self, people: People) -> None:
        text = "OR(AND('Org1MSP.peer', 'Org2MSP.peer'), 'Org1MSP.peer')"
        assert satisfied(policy(text), people.valid["Org1MSP.peer0"])

    def test_leaves_are_filled_in_order_and_greedily_as_in_fabric(self, people: People) -> None:
        # The member leaf takes the only peer, so the peer leaf stays empty, although another assignment exists.
        greedy = policy("AND('Org1MSP.member', 'Org1MSP.peer')")
        assert not satisfied(greedy, people.valid["Org1MSP.peer0"], people.valid["Org1MSP.client0"])
        assert satisfied(greedy, people.valid["Org1MSP.client0"], people.valid["Org1MSP.peer0"])

    def test_zero_out_of_anything_is_always_satisfied(self) -> None:
        assert satisfied(policy("OutOf(0, 'Org1MSP.peer')"))
        assert endorsement_layouts(policy("OutOf(0, 'Org1MSP.peer')")) == ({},)

    @pytest.mark.parametrize(
        "defect",
        [
            {"version": 1, "rule": policies_pb2.SignaturePolicy(signed_by=0)},
            {"rule": policies_pb2.SignaturePolicy(signed_by=0)},
            {"rule": policies_pb2.SignaturePolicy(signed_by=-1)},
            {},
            {
                "rule": policies_pb2.SignaturePolicy(
                    n_out_of={"n": 1, "rules": [policies_pb2.SignaturePolicy()]}
                )
            },
        ],
        ids=["version_1", "index_too_high", "index_negative", "no_rule", "empty_inner_rule"],
    )
    def test_a_malformed_envelope_is_refused(self, defect: dict[str, object]) -> None:
        with pytest.raises(InvalidInputError):
            signature_policy(
                policies_pb2.SignaturePolicyEnvelope(**defect).SerializeToString(), MspManager([])
            )

    @given(data=st.binary(max_size=200))
    def test_noise_gives_a_policy_or_a_typed_error(self, data: bytes) -> None:
        msps, tree = MspManager([]), PolicyTree({})
        for build in (lambda: signature_policy(data, msps), lambda: application_policy(data, msps, tree)):
            try:
                build()
            except InvalidInputError:
                continue


Rule = str | tuple[int, tuple["Rule", ...]]
leaves = st.builds(
    lambda org, role: f"{org}.{role}", st.sampled_from(ORGS), st.sampled_from(["peer", "client", "admin"])
)
rules: st.SearchStrategy[Rule] = st.recursive(
    leaves,
    lambda inner: st.lists(inner, min_size=1, max_size=4).flatmap(
        lambda below: st.tuples(st.integers(0, len(below) + 1), st.just(tuple(below)))
    ),
    max_leaves=8,
)
gates = rules.filter(lambda rule: not isinstance(rule, str))


def text_of(rule: Rule) -> str:
    if isinstance(rule, str):
        return f"'{rule}'"
    return f"OutOf({rule[0]}, {', '.join(text_of(each) for each in rule[1])})"


def ways(rule: Rule) -> list[tuple[str, ...]]:
    """The naive oracle: every list of principals that, each matched by a signer of its own, satisfies a rule."""
    if isinstance(rule, str):
        return [(rule,)]
    found: list[tuple[str, ...]] = [()] if rule[0] <= 0 else []
    chosen: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    for below in rule[1]:
        chosen += [(n + 1, (*had, *way)) for n, had in chosen for way in ways(below)]
    return found + [had for n, had in chosen if n >= rule[0]]


def contains(signers: list[str], wanted: tuple[str, ...]) -> bool:
    return all(signers.count(each) >= wanted.count(each) for each in wanted)


class TestAgainstANaiveOracle:
    """A signer has exactly one role here, so that leaf by leaf or all at once makes no difference."""

    @given(
        rule=gates,
        names=st.lists(
            st.sampled_from(
                [f"{org}.{role}" for org in ORGS for role in ("peer0", "peer1", "client0", "admin0")]
            ),
            unique=True,
            max_size=6,
        ),
    )
    def test_evaluation_never_accepts_what_no_assignment_allows(
        self, people: People, rule: Rule, names: list[str]
    ) -> None:
        possible = any(contains([name[:-1] for name in names], way) for way in ways(rule))
        accepted = satisfied(policy(text_of(rule)), *(people.valid[name] for name in names))
        assert not accepted or possible

    @given(
        texts=st.lists(leaves, min_size=1, max_size=5, unique=True),
        n=st.integers(0, 6),
        names=st.lists(
            st.sampled_from([f"{org}.{role}" for org in ORGS for role in ("peer0", "client0", "admin0")]),
            unique=True,
        ),
    )
    def test_n_out_of_distinct_principals_counts_them(
        self, people: People, texts: list[str], n: int, names: list[str]
    ) -> None:
        n = min(n, len(texts) + 1)
        present = sum(text in {name[:-1] for name in names} for text in texts)
        judged = policy(text_of((n, tuple(texts))))
        assert satisfied(judged, *(people.valid[name] for name in names)) is (present >= n)

    @given(rule=gates)
    def test_layouts_are_minimal_and_complete(self, rule: Rule) -> None:
        wanted = {tuple(sorted(way)) for way in ways(rule) if all(each.endswith(".peer") for each in way)}
        minimal = {
            way for way in wanted if not any(other != way and contains(list(way), other) for other in wanted)
        }
        layouts = endorsement_layouts(policy(text_of(rule)))
        found = {
            tuple(sorted(f"{msp}.peer" for msp, n in each.items() for _ in range(n))) for each in layouts
        }
        assert found == minimal
        assert len(found) == len(layouts)
        assert [sum(each.values()) for each in layouts] == sorted(sum(each.values()) for each in layouts)

    @given(rule=gates, orgs=st.sets(st.sampled_from(ORGS)))
    def test_satisfied_by_is_evaluation_with_one_peer_each(
        self, people: People, rule: Rule, orgs: set[str]
    ) -> None:
        judged = policy(text_of(rule))
        peers = [people.valid[f"{org}.peer0"] for org in sorted(orgs)]
        assert judged.satisfied_by(frozenset(orgs)) is satisfied(judged, *peers)


def group(
    policies: dict[str, tuple[int, object]] | None = None, **below: configtx_pb2.ConfigGroup
) -> configtx_pb2.ConfigGroup:
    made = configtx_pb2.ConfigGroup()
    for name, (kind, body) in (policies or {}).items():
        value = body if isinstance(body, bytes) else body.SerializeToString()  # type: ignore[attr-defined]
        made.policies[name].policy.type = kind
        made.policies[name].policy.value = value
    for name, each in below.items():
        made.groups[name].CopyFrom(each)
    return made


def meta(rule: int, name: str = "Endorsement") -> tuple[int, object]:
    return policies_pb2.Policy.IMPLICIT_META, META(rule=rule, sub_policy=name)


def org_group(org: str) -> configtx_pb2.ConfigGroup:
    return group({"Endorsement": (policies_pb2.Policy.SIGNATURE, parse_policy_text(f"OR('{org}.peer')"))})


def tree_of(rule: int, orgs: tuple[str, ...] = ORGS, **more: configtx_pb2.ConfigGroup) -> PolicyTree:
    application = group({"Endorsement": meta(rule)}, **{org: org_group(org) for org in orgs}, **more)
    return PolicyTree.from_group(
        group({"Endorsement": meta(META.ANY)}, Application=application), MspManager([])
    )


class TestImplicitMetaPolicies:
    @pytest.mark.parametrize(("rule", "needed"), [(META.ANY, 1), (META.MAJORITY, 2), (META.ALL, 3)])
    def test_as_many_sub_policies_as_the_rule_says(self, people: People, rule: int, needed: int) -> None:
        judged = tree_of(rule).get("/Channel/Application/Endorsement")
        for orgs in permutations(ORGS):
            for count in range(4):
                peers = [people.valid[f"{org}.peer0"] for org in orgs[:count]]
                assert satisfied(judged, *peers) is (count >= needed)
                assert judged.satisfied_by(frozenset(orgs[:count])) is (count >= needed)

    def test_two_peers_of_one_member_are_one_member(self, people: People) -> None:
        judged = tree_of(META.MAJORITY).get("/Channel/Application/Endorsement")
        with pytest.raises(PolicyError, match="1 sub-policies were satisfied, but this policy requires 2"):
            judged.evaluate([people.valid["Org1MSP.peer0"], people.valid["Org1MSP.peer1"]])

    def test_layouts_of_a_majority(self) -> None:
        layouts = endorsement_layouts(tree_of(META.MAJORITY).get("/Channel/Application/Endorsement"))
        assert layouts == (
            {"Org1MSP": 1, "Org2MSP": 1},
            {"Org1MSP": 1, "Org3MSP": 1},
            {"Org2MSP": 1, "Org3MSP": 1},
        )

    def test_one_peer_may_count_in_several_sub_policies(self, people: People) -> None:
        twins = group({"Endorsement": meta(META.ALL)}, one=org_group("Org1MSP"), two=org_group("Org1MSP"))
        judged = PolicyTree.from_group(twins, MspManager([])).get("/Channel/Endorsement")
        judged.evaluate([people.valid["Org1MSP.peer0"]])
        assert endorsement_layouts(judged) == ({"Org1MSP": 1},)

    def test_a_member_without_the_policy_counts_and_never_satisfies(self, people: People) -> None:
        judged = tree_of(META.MAJORITY, ORGS[:2], Org4MSP=group(), Org5MSP=group()).get(
            "/Channel/Application/Endorsement"
        )
        assert not satisfied(judged, people.valid["Org1MSP.peer0"], people.valid["Org2MSP.peer0"])

    def test_without_members_anything_satisfies(self) -> None:
        for rule in (META.ANY, META.ALL, META.MAJORITY):
            assert satisfied(tree_of(rule, ()).get("/Channel/Application/Endorsement"))

    def test_meta_policies_nest(self, people: People) -> None:
        judged = tree_of(META.MAJORITY).get("/Channel/Endorsement")
        assert satisfied(judged, people.valid["Org1MSP.peer0"], people.valid["Org2MSP.peer0"])
        assert not satisfied(judged, people.valid["Org1MSP.peer0"])

    @pytest.mark.parametrize("kind", [0, 2, 7])
    def test_one_of_an_unknown_kind_is_never_satisfied_and_named_by_its_path(self, kind: int) -> None:
        tree = PolicyTree.from_group(group({"Odd": (kind, b"")}), MspManager([]))
        assert "policy /Channel/Odd did not compile" in tree.unreadable["/Channel/Odd"]
        assert not satisfied(tree.get("/Channel/Odd"))


class TestReferences:
    def test_a_reference_is_absolute_or_relative_to_the_channel(self, people: People) -> None:
        tree = tree_of(META.ANY)
        for name in ("/Channel/Application/Endorsement", "Application/Endorsement"):
            data = policy_pb2.ApplicationPolicy(channel_config_policy_reference=name).SerializeToString()
            application_policy(data, MspManager([]), tree).evaluate([people.valid["Org1MSP.peer0"]])

    def test_an_unknown_reference_is_never_satisfied(self, people: People) -> None:
        data = policy_pb2.ApplicationPolicy(channel_config_policy_reference="/Channel/Nothing")
        judged = application_policy(data.SerializeToString(), MspManager([]), tree_of(META.ANY))
        with pytest.raises(PolicyError, match="no such policy: '/Channel/Nothing'"):
            judged.evaluate(list(people.valid.values()))
        assert not judged.satisfied_by(frozenset(ORGS))
        assert endorsement_layouts(judged) == ()

    def test_a_signature_policy_is_taken_as_it_is(self, people: People) -> None:
        envelope = policies_pb2.SignaturePolicyEnvelope.FromString(parse_policy_text("OR('Org1MSP.peer')"))
        data = policy_pb2.ApplicationPolicy(signature_policy=envelope).SerializeToString()
        application_policy(data, MspManager([]), tree_of(META.ANY)).evaluate([people.valid["Org1MSP.peer0"]])

    def test_no_policy_at_all_is_refused(self) -> None:
        with pytest.raises(InvalidInputError, match="unsupported policy type"):
            application_policy(b"", MspManager([]), tree_of(META.ANY))

    def test_an_unknown_path_is_an_error(self) -> None:
        with pytest.raises(PolicyError, match="no such policy"):
            tree_of(META.ANY).get("/Channel/Application/Nothing")


class TestSignatures:
    def signed(self, signer: SigningIdentity, data: bytes = b"data") -> SignedData:
        return SignedData(data, signer.identity.serialized, signer.sign(data))

    def test_who_signed_validly_counts_and_the_others_are_left_out(
        self, people: People, msps: MspManager, ca: ThrowawayCa
    ) -> None:
        good = self.signed(people.signers["Org1MSP.peer0"])
        wrong = SignedData(b"other", good.identity, good.signature)
        expired = self.signed(ca.issue("peer", not_after=EXPIRED))
        stranger = self.signed(ThrowawayCa.root("elsewhere").issue("peer"))
        noise = SignedData(b"data", b"noise", b"noise")
        found = valid_signers([wrong, expired, stranger, noise, good], msps, NOW)
        assert found == [people.valid["Org1MSP.peer0"]]

    def test_an_identity_counts_once_however_it_is_encoded(self, people: People, msps: MspManager) -> None:
        signer = people.signers["Org1MSP.peer0"]
        once = self.signed(signer)
        pem = signer.identity.certificate_pem
        other_form = type(signer.identity)(signer.identity.msp_id, pem.replace(b"\n", b"\r\n")).serialized
        again = SignedData(once.data, other_form, once.signature)
        assert len(valid_signers([once, once, again], msps, NOW)) == 1

    def test_a_bad_signature_does_not_shut_out_a_good_one(self, people: People, msps: MspManager) -> None:
        good = self.signed(people.signers["Org1MSP.peer0"])
        bad = SignedData(good.data, good.identity, b"")
        assert len(valid_signers([bad, good], msps, NOW)) == 1

    def test_a_policy_is_evaluated_over_signatures(self, people: People, msps: MspManager) -> None:
        both = signature_policy(parse_policy_text("AND('Org1MSP.peer', 'Org2MSP.peer')"), msps)
        one, two = (self.signed(people.signers[f"{org}.peer0"]) for org in ORGS[:2])
        evaluate_signed_data(both, [one, two], msps, NOW)
        with pytest.raises(PolicyError, match="signature set did not satisfy policy"):
            evaluate_signed_data(both, [one, one], msps, NOW)
