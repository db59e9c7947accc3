"""What member changes make of the topology, of the orderers' quorum, and of people's to-do lists."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.channel_members import BATCH, ChannelMember, channel_of, config_of
from tests.support.throwaway_ca import ThrowawayCa, pem

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.block import new_block, sign_block
from shirushi_core.fabric.channel_config import BatchParameters, ChannelConfig
from shirushi_core.fabric.config_edits import (
    add_member,
    remove_member,
    renew_member,
    replace_certificates,
    set_batch,
)
from shirushi_core.fabric.genesis import genesis_block
from shirushi_network.channel_updates import quorum_problem
from shirushi_network.config_blocks import (
    ConfigBlock,
    ConfigBlockError,
    check_history,
    highest_consenter_id,
    parse_config_block,
)
from shirushi_network.errors import ConsortiumError
from shirushi_network.member_bundle import PublicBundle
from shirushi_network.member_changes import (
    check_addable,
    check_same_bundle,
    joined,
    next_steps,
    topology_of_channel,
    topology_words,
    without_orderer,
)
from shirushi_network.topology import (
    PORTS_USED,
    AnchorsDefinition,
    FirstIssuer,
    Member,
    Topology,
    member_on,
)

PEOPLE = [ChannelMember.named(number) for number in range(1, 7)]


def entry(person: ChannelMember) -> Member:
    first = 20_000 + 10 * person.number
    name = person.bundle.member_id
    return member_on(name, person.msp_id, name, name.title(), "127.0.0.1", range(first, first + PORTS_USED))


MEMBERS = {person.msp_id: entry(person) for person in PEOPLE}
TOPOLOGY = Topology(
    "shirushi-test",
    tuple(MEMBERS.values())[:5],
    quorum=3,
    issuer=FirstIssuer("city", "org1"),
    blocks=BATCH,
)
SIXTH = PublicBundle(MEMBERS["Org6MSP"], PEOPLE[5].bundle)


@pytest.fixture(scope="module")
def five() -> ChannelConfig:
    return channel_of(PEOPLE[:5])


@pytest.fixture(scope="module")
def six() -> ChannelConfig:
    return channel_of(PEOPLE)


class TestTheTopology:
    def test_a_new_member_comes_last_and_the_quorum_stays_more_than_half(self, six: ChannelConfig) -> None:
        after = topology_of_channel(TOPOLOGY, six, [SIXTH])
        assert [member.id for member in after.members] == ["org1", "org2", "org3", "org4", "org5", "org6"]
        assert after.quorum == 4
        words = topology_words(TOPOLOGY, after)
        assert "topology.toml: org6 is added" in words
        assert any("the quorum has to change from 3 to 4 of 6 members" in each for each in words)

    def test_a_quorum_that_is_more_than_half_is_the_members_own_choice(self, six: ChannelConfig) -> None:
        assert topology_of_channel(replace(TOPOLOGY, quorum=5), six, [SIXTH]).quorum == 5

    def test_a_quorum_is_never_more_than_there_are(self, five: ChannelConfig) -> None:
        four = config_of(remove_member(five.config.channel_group, "Org5MSP"))
        assert topology_of_channel(replace(TOPOLOGY, quorum=5), four).quorum == 4

    def test_a_member_that_left_is_taken_out(self, five: ChannelConfig) -> None:
        four = config_of(remove_member(five.config.channel_group, "Org5MSP"))
        after = topology_of_channel(TOPOLOGY, four)
        assert [member.id for member in after.members] == ["org1", "org2", "org3", "org4"]
        assert "topology.toml: org5 is taken out" in topology_words(TOPOLOGY, after)

    def test_the_issuer_s_member_cannot_leave_before_another_issuer_is_named(
        self, five: ChannelConfig
    ) -> None:
        without = config_of(remove_member(five.config.channel_group, "Org1MSP"))
        with pytest.raises(ConsortiumError, match="org1 is the member of the issuer city"):
            topology_of_channel(TOPOLOGY, without)

    def test_members_of_whom_nothing_is_known_stay_out(self, six: ChannelConfig) -> None:
        assert topology_of_channel(TOPOLOGY, six) == TOPOLOGY

    @pytest.mark.parametrize("wait", [0.7, 0.3, 1.1, 0.123])
    def test_blocks_follow_to_the_millisecond(self, five: ChannelConfig, wait: float) -> None:
        batch = BatchParameters(50, 5 << 20, 1 << 20, wait)
        after = topology_of_channel(TOPOLOGY, config_of(set_batch(five.config.channel_group, batch)))
        assert after.blocks == batch

    def test_an_endorsement_policy_that_names_who_left_is_pointed_out(self, five: ChannelConfig) -> None:
        policy = AnchorsDefinition(endorsement="OutOf(1, 'Org1MSP.peer', 'Org5MSP.peer')")
        topology = replace(TOPOLOGY, anchors=policy)
        four = config_of(remove_member(five.config.channel_group, "Org5MSP"))
        words = topology_words(topology, topology_of_channel(topology, four))
        assert any("names Org5MSP: `shirushi chaincode upgrade" in each for each in words)


class TestWhatIsAdded:
    def test_a_member_then_its_orderer_then_nothing(self, five: ChannelConfig) -> None:
        bundle = PEOPLE[5].bundle
        alone = config_of(joined(five, without_orderer(bundle), 0))
        assert "Org6MSP" in alone.application_orgs
        assert "Org6MSP" not in alone.orderer_orgs
        both = config_of(joined(alone, bundle, 8))
        assert both.consenters[-1].id == 9
        assert joined(both, bundle, 8) == both.config.channel_group

    def test_an_address_that_another_member_has(self) -> None:
        taken = replace(SIXTH, member=replace(SIXTH.member, peer=TOPOLOGY.members[0].peer))
        with pytest.raises(InvalidInputError, match="the same address"):
            check_addable(TOPOLOGY, taken)
        check_addable(TOPOLOGY, SIXTH)

    def test_a_member_that_is_there_with_other_certificates(self, six: ChannelConfig) -> None:
        check_same_bundle(six, PEOPLE[5].bundle)
        other = replace(PEOPLE[5].bundle, ca_certificates=(pem(ThrowawayCa.root("other").certificate),))
        with pytest.raises(InvalidInputError, match="channel rotate"):
            check_same_bundle(six, other)


class TestTheQuorumOfOrderers:
    ALL = frozenset(person.msp_id for person in PEOPLE)

    def test_what_leaves_the_orderers_alone_needs_none(self, five: ChannelConfig) -> None:
        after = config_of(set_batch(five.config.channel_group, BatchParameters(1, 5 << 20, 1 << 20, 1.0)))
        assert quorum_problem(five, after, frozenset(), {}) is None

    def test_a_sixth_may_come_while_all_five_run_or_one_is_down(self, five: ChannelConfig) -> None:
        after = config_of(add_member(five.config.channel_group, PEOPLE[5].bundle))
        assert quorum_problem(five, after, self.ALL, {}) is None
        assert quorum_problem(five, after, self.ALL - {"Org2MSP"}, {}) is None
        problem = quorum_problem(five, after, self.ALL - {"Org2MSP", "Org3MSP"}, {"Org2MSP": "Haw"})
        assert problem == (
            "3 of 6 orderers would be left, and 4 are needed for a block; the orderers of Haw, Org3MSP do not answer or are "
            "behind: bring them up first"
        )

    def test_a_new_identity_takes_an_orderer_out(self, five: ChannelConfig) -> None:
        person = PEOPLE[0]
        new = person.ca.issue("orderer", name="again").identity.certificate_pem
        after = config_of(
            renew_member(five.config.channel_group, replace(person.bundle, orderer_certificate=new))
        )
        assert quorum_problem(five, after, self.ALL, {}) is None
        assert quorum_problem(five, after, self.ALL - {"Org1MSP"}, {}) is None
        assert quorum_problem(five, after, self.ALL - {"Org2MSP"}, {}) is not None


class TestNextSteps:
    def test_a_new_member_fetches_and_comes_up(self, five: ChannelConfig) -> None:
        after = config_of(add_member(five.config.channel_group, PEOPLE[5].bundle))
        steps = "\n".join(next_steps(five, after, MEMBERS))
        assert "Org6 now runs `shirushi channel fetch`" in steps
        assert "add no other orderer until that of Org6" in steps

    def test_who_leaves_stops(self, five: ChannelConfig) -> None:
        after = config_of(remove_member(five.config.channel_group, "Org5MSP"))
        (step,) = next_steps(five, after, MEMBERS)
        assert step.startswith("Org5 now stops its nodes")

    def test_new_orderer_certificates_need_a_restart(self, five: ChannelConfig) -> None:
        person = PEOPLE[2]
        tls = person.tls_ca.issue().identity.certificate_pem
        identity = person.ca.issue("orderer").identity.certificate_pem
        group = five.config.channel_group
        after = config_of(renew_member(group, replace(person.bundle, orderer_tls_certificate=tls)))
        (step,) = next_steps(five, after, MEMBERS)
        assert step.startswith("the orderer of Org3 has to be restarted with its new certificates")
        assert "`shirushi consortium stop org3 --node orderer`" in step
        after = config_of(renew_member(group, replace(person.bundle, orderer_certificate=identity)))
        (step,) = next_steps(five, after, MEMBERS)
        assert "takes part no more until it is restarted" in step

    def test_a_new_certificate_of_the_same_key_takes_no_orderer_out(self, five: ChannelConfig) -> None:
        person = PEOPLE[0]
        before, after = (
            person.ca.issue("orderer", name=name, key=person.admin.key).identity.certificate_pem
            for name in ("before", "after")
        )
        old = config_of(
            renew_member(five.config.channel_group, replace(person.bundle, orderer_certificate=before))
        )
        new = config_of(
            renew_member(old.config.channel_group, replace(person.bundle, orderer_certificate=after))
        )
        assert quorum_problem(old, new, frozenset(), {}) is None
        (step,) = next_steps(old, new, MEMBERS)
        assert "until then it goes on with the old ones" in step

    def test_a_new_tls_ca_needs_the_other_orderers_restarted_first(self, five: ChannelConfig) -> None:
        person = PEOPLE[2]
        root = pem(ThrowawayCa.root("tlsca.new").certificate)
        after = config_of(
            replace_certificates(
                five.config.channel_group, replace(person.bundle, tls_ca_certificates=(root,))
            )
        )
        (step,) = next_steps(five, after, MEMBERS)
        assert "all other members restart their orderers, one after the other, before" in step

    def test_a_moved_orderer_needs_the_others_restarted_after_it(self, five: ChannelConfig) -> None:
        bundle = replace(PEOPLE[2].bundle, orderer_host="new.example")
        after = config_of(renew_member(five.config.channel_group, bundle))
        (step,) = next_steps(five, after, MEMBERS)
        assert "restarted at new.example:7050" in step
        assert "all other members restart theirs" in step


class TestHistory:
    """Config blocks that follow from the genesis block."""

    @pytest.fixture
    def orderers(self) -> list[ChannelMember]:
        return PEOPLE[:4]

    @pytest.fixture
    def start(self, orderers: list[ChannelMember]) -> ConfigBlock:
        block = genesis_block("shirushi-test", [each.bundle for each in orderers], BATCH)
        return parse_config_block(block.SerializeToString())

    def test_one_that_too_few_orderers_signed_is_refused(
        self, start: ConfigBlock, orderers: list[ChannelMember]
    ) -> None:
        following = new_block(5, start.fingerprint, list(start.block.data.data))
        admins = [(number, each.admin) for number, each in enumerate(orderers, start=1)]
        sign_block(following, last_config=5, orderers=admins, nonces=[bytes(24)] * 4)
        config = replace(start.config, sequence=1)
        with pytest.raises(ConfigBlockError, match="config block 5 is not the orderers'"):
            check_history([start, ConfigBlock(following, config)])

    def test_one_that_leaves_a_configuration_out_is_refused(self, start: ConfigBlock) -> None:
        later = ConfigBlock(start.block, replace(start.config, sequence=2))
        with pytest.raises(ConfigBlockError, match="one is missing"):
            check_history([start, later])

    def test_the_highest_id_counts_orderers_that_have_left(self, five: ChannelConfig) -> None:
        less = config_of(remove_member(five.config.channel_group, "Org5MSP"))
        block = new_block(0, b"", [b""])
        assert highest_consenter_id([ConfigBlock(block, five), ConfigBlock(block, less)]) == 5
