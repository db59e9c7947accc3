"""An echo as a chaincode on our service: it answers with the arguments it was called with."""

from __future__ import annotations

from shirushi_core.fabric.chaincode import OK, Response, Stub


class Echo:
    """Reads nothing and writes nothing (implements fabric.chaincode.Chaincode)."""

    async def invoke(self, stub: Stub) -> Response:
        """Return the arguments, one after the other."""
        return Response(OK, payload=b"".join(stub.args))
