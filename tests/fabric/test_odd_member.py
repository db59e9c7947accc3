"""One member makes its MSP odd in one way after the other, all that Fabric takes: the others' certificates are issued and read valid.

SHIRUSHI_ISSUANCES=1000 says how many; after every tenth (every second, in a usual run) there is one more oddity.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fabric_protos.common import common_pb2, configtx_pb2
from tests.fabric.changing_network import ChangingNetwork
from tests.fabric.fuzzing.drafts import Issuer as Authority
from tests.fabric.fuzzing.keys import Key
from tests.fabric.fuzzing.msp_cases import ConfigCase, config_case
from tests.fabric.fuzzing.updates import ours_of
from tests.network.test_witnesses import policy_of

from shirushi_client.evidence_session import open_gatherer
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issuer import Issuer
from shirushi_client.issuer.journal import Journal
from shirushi_client.issuer.sources import files_to_issue
from shirushi_client.session import ISSUER, open_session
from shirushi_client.verifier.offline_verifier import OfflineVerifier
from shirushi_client.verifier.report import Verdict
from shirushi_core.fabric.channel_config import from_config
from shirushi_core.fabric.config_update import ConfigUpdateError, compute_update
from shirushi_core.fabric.msp import IdentityError
from shirushi_network.layout import Layout

ISSUANCES = int(os.environ.get("SHIRUSHI_ISSUANCES", "16"))
AT_A_TIME = 10 if ISSUANCES >= 100 else 2
TRIED = 40
"""Cases tried for one that is taken."""

pytestmark = pytest.mark.timeout(200 + ISSUANCES)


@pytest.fixture(scope="module")
def live(fabric: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChangingNetwork]:
    made = ChangingNetwork(Layout(tmp_path_factory.mktemp("odd") / "consortium"))
    made.up()
    yield made
    made.down()


class OddMember:
    """The member whose part of the configuration grows odder, as its own admin alone can make it."""

    def __init__(self, live: ChangingNetwork) -> None:
        self.live = live
        self.member = live.members[1]
        folder = live.home(self.member) / "ca"
        certificate = x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())
        self._authority = Authority(
            certificate.subject.public_bytes(),
            Key.of(load_pem_private_key((folder / "key.pem").read_bytes(), None)),
            certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest,
            certificate.not_valid_before_utc.strftime("%y%m%d%H%M%SZ"),
        )
        self._seed = 0
        self.taken: list[str] = []
        self.refused: list[str] = []

    def grow_odder(self) -> None:
        """Make one more change that Fabric takes, on top of those before."""
        for _ in range(TRIED):
            group = self.live.channel_config().config.channel_group
            case = config_case(self._seed, group, self.member.msp_id, self._authority)
            self._seed += 1
            if self._is_fit(case, group) and self._submit(case):
                self.taken.append(case.name)
                return
            self.refused.append(case.name)
        raise AssertionError(f"none of {TRIED} changes was taken")

    def _is_fit(self, case: ConfigCase, group: configtx_pb2.ConfigGroup) -> bool:
        """Say whether a change is worth sending: one that we can read, after which the admin may go on."""
        if ours_of(case, group)[0] != "taken":
            return False
        try:
            compute_update(self.live.topology.channel, configtx_pb2.Config(channel_group=group), case.edited)
            after = from_config(self.live.topology.channel, configtx_pb2.Config(channel_group=case.edited))
            admin = after.msps.validate(self.live.admin(self.member).identity.serialized, datetime.now(UTC))
        except (ConfigUpdateError, IdentityError):
            return False
        return "admin" in admin.roles and not {"MD5", "SHA3"} & set(case.chosen)

    def _submit(self, case: ConfigCase) -> bool:
        height = self.live.height_of(self.live.members[0])
        answer = self.live.submit(self.live.propose(lambda _: case.edited, [self.member]), self.member)
        if answer.status != common_pb2.SUCCESS:
            return False
        self.live.wait_for_height(height + 1)
        return True


async def issue(data: Path, files: Sequence[Path]) -> None:
    """Issue files, a batch for each."""
    async with open_session(data, ISSUER) as session:
        with Journal(data / "journal.db") as journal:
            async with (
                open_gatherer(data) as evidence,
                Issuer(
                    name=session.profile.issuer_id(),
                    seal_key=session.profile.load_seal_key(),
                    ledger=session.ledger,
                    journal=journal,
                    evidence=evidence,
                    max_count=1,
                ) as issuer,
            ):
                async for _ in issuer.issue_files(files_to_issue(files, None), Order("residence")):
                    pass


async def test_however_odd_one_members_msp_is_every_certificate_reads_valid(
    live: ChangingNetwork, tmp_path: Path
) -> None:
    odd = OddMember(live)
    verifier = OfflineVerifier(policy_of(live.root))
    verdicts = []
    for begin in range(0, ISSUANCES, AT_A_TIME):
        odd.grow_odder()
        files = [tmp_path / f"{number}.txt" for number in range(begin, min(ISSUANCES, begin + AT_A_TIME))]
        for file in files:
            file.write_text(f"certificate {file.name}")
        await issue(live.root, files)
        for file in files:
            report = verifier.verify(file, file.with_name(f"{file.name}.receipt.json"))
            verdicts.append(report.verdict)
    report_to = os.environ.get("SHIRUSHI_REPORT")
    if report_to:
        lines = [f"{len(odd.taken)} changes taken, {verdicts.count(Verdict.VALID)} of {len(verdicts)} valid"]
        Path(report_to).write_text("\n".join([*lines, *odd.taken]))
    assert verdicts == [Verdict.VALID] * ISSUANCES
    assert len(odd.taken) == -(-ISSUANCES // AT_A_TIME)
