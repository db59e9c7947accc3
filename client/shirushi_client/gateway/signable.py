"""What every object that must be signed before it is sent has in common."""

from __future__ import annotations

import asyncio
import builtins
from abc import ABC, abstractmethod

from shirushi_client.gateway.connection import Connection
from shirushi_client.gateway.identity import SigningIdentity


class Signable(ABC):
    """A message with a signature of its own, made once, when it is first needed.

    For offline signing, take `bytes` and `digest`, have the digest signed elsewhere, and rebuild the object from the
    bytes and the signature with the gateway's new_signed_* method. A signature that is there is kept.
    """

    def __init__(self, connection: Connection, identity: SigningIdentity) -> None:
        self._connection = connection
        self._identity = identity
        self._signing = asyncio.Lock()

    @property
    def bytes(self) -> builtins.bytes:
        """The serialized object, with its signature if it has one."""
        return self._serialized()

    @property
    def digest(self) -> builtins.bytes:
        """The digest to sign: the gateway's hash of the signed part."""
        return self._identity.hash(self._message())

    @abstractmethod
    def _serialized(self) -> builtins.bytes: ...

    @abstractmethod
    def _message(self) -> builtins.bytes: ...

    @abstractmethod
    def _signature(self) -> builtins.bytes: ...

    @abstractmethod
    def _set_signature(self, signature: builtins.bytes) -> None: ...

    async def _sign(self) -> None:
        async with self._signing:
            if not self._signature():
                self._set_signature(await self._identity.sign(self.digest))
