"""A member's own orderer, as its admin speaks to it: the channel participation API.

Source: orderer/common/channelparticipation/restapi.go. HTTPS with a client certificate of the member's TLS CA; the port
is on 127.0.0.1 of the orderer's machine.
"""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shirushi_core.errors import InvalidInputError
from shirushi_network.errors import ConsortiumError
from shirushi_network.member_keys import ORDERER
from shirushi_network.topology import Member, is_loopback

SECONDS = 20.0
MAX_ANSWER_BYTES = 1 << 20
_BOUNDARY = "shirushi-config-block"


class OrdererError(ConsortiumError):
    """An orderer that does not answer, or refuses; the text is its own."""


@dataclass(frozen=True, slots=True)
class ChannelState:
    """A channel as an orderer reports it: relation "consenter" or "follower", status "active", "onboarding", ..."""

    relation: str
    status: str
    height: int


class OrdererAdmin:
    """The admin endpoint of one member's orderer, opened with the orderer's own TLS certificate."""

    def __init__(self, member: Member, home: Path) -> None:
        if member.orderer is None:
            raise InvalidInputError(f"{member.id} has no orderer")
        self._member = member
        self._port = member.orderer.admin_port
        self._host = member.orderer.host
        self._tls = home / "orderers" / ORDERER / "tls"

    def channel(self, name: str) -> ChannelState | None:
        """Return a channel's state at this orderer; None if it has not joined. Raises OrdererError."""
        status, answer = self._request("GET", f"/participation/v1/channels/{name}")
        if status == http.client.NOT_FOUND:
            return None
        if status != http.client.OK:
            raise self._refusal(status, answer)
        return ChannelState(
            str(answer.get("consensusRelation")), str(answer.get("status")), int(answer.get("height", 0))
        )

    def join(self, block: bytes) -> None:
        """Have the orderer join the channel of a config block; raises OrdererError."""
        body = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="config-block"; filename="config.block"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        body += block + f"\r\n--{_BOUNDARY}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
        status, answer = self._request("POST", "/participation/v1/channels", body, headers)
        if status != http.client.CREATED:
            raise self._refusal(status, answer)

    def leave(self, name: str) -> None:
        """Have the orderer leave a channel and forget its blocks; raises OrdererError."""
        status, answer = self._request("DELETE", f"/participation/v1/channels/{name}")
        if status not in (http.client.NO_CONTENT, http.client.NOT_FOUND):
            raise self._refusal(status, answer)

    def _request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self._port, timeout=SECONDS, context=self._context()
        )
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            content = response.read(MAX_ANSWER_BYTES)
            return response.status, json.loads(content) if content else {}
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise OrdererError(
                f"the orderer of {self._member.name_en} does not answer at its admin port {self._port}: {error}"
            ) from error
        finally:
            connection.close()

    def _context(self) -> ssl.SSLContext:
        """Trust the member's TLS CA; its certificate names the orderer's host, which need not be this machine's loopback."""
        context = ssl.create_default_context(cafile=str(self._tls / "ca.crt"))
        context.check_hostname = is_loopback(self._host)
        context.load_cert_chain(self._tls / "server.crt", self._tls / "server.key")
        return context

    def _refusal(self, status: int, answer: dict[str, Any]) -> OrdererError:
        return OrdererError(
            f"the orderer of {self._member.name_en} refuses: {answer.get('error', f'status {status}')}"
        )
