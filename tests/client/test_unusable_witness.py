"""One member's TLS root that cannot be read costs that member only."""

from __future__ import annotations

import dataclasses

import pytest
from tests.support.paper_log import BEGIN, trust_policy

from shirushi_client.witness_client import UnusableWitness, WitnessError, open_witnesses
from shirushi_core.proofs.trust_policy import TrustPolicy, WitnessAddress


def with_root(policy: TrustPolicy, member_id: str, root: str) -> TrustPolicy:
    address = WitnessAddress(f"https://{member_id}.example", root)
    return dataclasses.replace(
        policy,
        members=tuple(
            dataclasses.replace(each, witness=address) if each.id == member_id else each
            for each in policy.members
        ),
    )


@pytest.mark.parametrize(
    "root",
    ["none", "印", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "\0"],
)
async def test_the_others_are_opened_and_that_one_says_why_it_cannot_be_asked(root: str) -> None:
    async with open_witnesses(with_root(trust_policy(), "haw", root), BEGIN) as witnesses:
        assert [each.member_id for each in witnesses if not isinstance(each, UnusableWitness)] == [
            "iizuka",
            "chaintope",
            "kaguya",
            "gcom",
        ]
        (unusable,) = [each for each in witnesses if isinstance(each, UnusableWitness)]
        with pytest.raises(
            WitnessError, match=r"the witness of haw .* its TLS root in the trust policy is none"
        ):
            await unusable.note()
