"""Witnesses of two members on a consortium as `shirushi consortium up` makes it, while certificates are issued and revoked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.support.command import shirushi
from tests.support.live_consortium import LiveConsortium
from tests.support.witnesses import TLS, TLS_ROOT, cosigner_key, free_port, http, keys_of, signs, until

from shirushi_core.proofs.checkpoint import origin_of
from shirushi_core.proofs.log_evidence import (
    verify_certificate_statuses,
    verify_logged,
    verify_registered,
    verify_status_entry,
)
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.status import Status
from shirushi_core.proofs.witness_protocol import ANCHORED, ProofsAnswer, ProofsRequest
from shirushi_network.member_keys import load_signing_identity
from shirushi_node.witness.service import OtherWitness, WitnessService, WitnessSettings


def settings_of(live: LiveConsortium, folder: Path, ports: dict[str, int], member_id: str) -> WitnessSettings:
    member = live.member(member_id)
    home = live.layout.members / member_id
    origin = origin_of(live.topology.channel)
    return WitnessSettings(
        ledger=live.topology.channel,
        member_id=member_id,
        folder=folder / member_id,
        keys=keys_of(member_id),
        identity=load_signing_identity(home / "users" / "client" / "msp", member.msp_id),
        peer=str(member.peer.address),
        peer_tls_roots=(home / "tlsca" / "cert.pem").read_bytes(),
        peer_tls_name=None,
        genesis=live.layout.genesis.read_bytes(),
        others=tuple(
            OtherWitness(
                other,
                f"https://127.0.0.1:{port}",
                TLS_ROOT,
                cosigner_key(f"{origin}/{other}", keys_of(other).cosigner.public_key().public_bytes_raw()),
                other,
            )
            for other, port in ports.items()
            if other != member_id
        ),
        quorum=2,
        host="127.0.0.1",
        port=ports[member_id],
        tls=TLS,
    )


async def ask(service: WitnessService, request: ProofsRequest) -> ProofsAnswer:
    async with (
        http() as session,
        session.post(f"https://{service.address}/proofs", data=request.to_bytes()) as response,
    ):
        assert response.status == 200, await response.text()
        return ProofsAnswer.from_bytes(await response.read(), request)


async def run(*arguments: Any, data: Path) -> Any:
    done = await asyncio.to_thread(shirushi, *arguments, "--json", data=data)
    assert done.exit_code == 0, done.err
    return done.json


async def test_what_is_issued_and_revoked_is_proved_by_every_witness_under_one_head(
    live_consortium: LiveConsortium, tmp_path: Path
) -> None:
    live, ports = live_consortium, {"iizuka": free_port(), "chaintope": free_port()}
    services = [WitnessService(settings_of(live, tmp_path, ports, member)) for member in ports]
    for service in services:
        await service.start()
    try:
        file = tmp_path / "certificate.txt"
        file.write_text(f"{tmp_path}: a certificate")
        await run("issue", file, "--type", "income-certificate", data=live.root)
        receipt = Receipt.from_bytes(file.with_name(f"{file.name}.receipt.json").read_bytes())
        anchor = receipt.anchor
        request = ProofsRequest(
            batches=(anchor.statement.batch_id,),
            issuers=((anchor.statement.issuer, anchor.issuer_sequence),),
            head=ANCHORED,
            wait=10,
        )
        answers = [await ask(service, request) for service in services]
        assert answers[0].head.note.text == answers[1].head.note.text
        for answer in answers:
            inclusion, issuer = answer.batches[0], answer.issuers[0]
            assert inclusion is not None
            assert issuer is not None
            verify_logged(anchor, inclusion, answer.head.checkpoint)
            verify_registered(issuer, answer.head.checkpoint)

        await run("revoke", file, "--reason", "issued_in_error", data=live.root)
        height = await asyncio.to_thread(live.settle)
        for service in services:
            await until(lambda service=service: signs(service, height), "following")
        for service in services:
            about = (anchor.statement.batch_id, receipt.commitment)
            answer = await ask(service, ProofsRequest(statuses=(about,)))
            root = verify_status_entry(answer.status_entry, answer.head.checkpoint).root
            proved = verify_certificate_statuses(answer.statuses[0], root, *about)
            assert proved.certificate is not None
            assert proved.certificate.status is Status.REVOKED
    finally:
        await asyncio.gather(*(service.stop() for service in services))
