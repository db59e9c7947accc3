"""A client of one witness's HTTP interface."""

from __future__ import annotations

from typing import Any

import aiohttp
from tests.support.anchored_chain import AnchoredChain
from tests.support.witnesses import ChainPeer, signs, until

from shirushi_core.proofs.canonical import decode_canonical
from shirushi_core.proofs.witness_protocol import ProofsAnswer, ProofsRequest
from shirushi_node.witness.service import WitnessService


class Client:
    """A client of one witness."""

    def __init__(self, session: aiohttp.ClientSession, service: WitnessService, peer: ChainPeer) -> None:
        self.session = session
        self.service = service
        self.peer = peer

    async def request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes, Any]:
        url = f"https://{self.service.address}{path}"
        async with self.session.request(method, url, data=body) as response:
            return response.status, await response.read(), response.headers

    async def get(self, path: str) -> bytes:
        status, body, _ = await self.request("GET", path)
        assert status == 200, body
        return body

    async def json(self, path: str) -> Any:
        return decode_canonical(await self.get(path))

    async def refused(self, status: int, method: str, path: str, body: bytes | None = None) -> str:
        """Expect a refusal in its one form; returns its code."""
        found, answer, headers = await self.request(method, path, body)
        assert found == status, answer
        assert headers["Content-Type"].startswith("application/json")
        error: Any = decode_canonical(answer)
        assert set(error) == {"error"}
        assert set(error["error"]) == {"code", "message"}
        return str(error["error"]["code"])

    async def proofs(self, request: ProofsRequest) -> ProofsAnswer:
        status, body, _ = await self.request("POST", "/proofs", request.to_bytes())
        assert status == 200, body
        return ProofsAnswer.from_bytes(body, request)

    async def taken_in(self, chain: AnchoredChain) -> None:
        self.peer.grown()
        await until(lambda: signs(self.service, chain.store.height), "signing")
