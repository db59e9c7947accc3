"""Who calls: an MSP id with credentials, and the means to sign as that identity."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from shirushi_client.gateway.errors import NoSignerError, SigningError
from shirushi_client.gateway.hashes import Hash
from shirushi_client.gateway.signers import Signer
from shirushi_core.fabric import identity as fabric


@dataclass(frozen=True, slots=True)
class Identity:
    """A client identity: the organisation's MSP id and its credentials, a PEM certificate."""

    msp_id: str
    credentials: bytes


class SigningIdentity:
    """An identity with its hash and, unless signatures are made elsewhere, its signer."""

    def __init__(self, identity: Identity, signer: Signer | None, hash_function: Hash) -> None:
        self.identity = identity
        self.creator = fabric.Identity(identity.msp_id, identity.credentials).serialized
        self.hash = hash_function
        self._signer = signer

    async def sign(self, digest: bytes) -> bytes:
        """Return the signer's signature; raises NoSignerError without a signer, SigningError without a signature."""
        if self._signer is None:
            raise NoSignerError(
                "nothing to sign with: connect with a signer, or sign the digest elsewhere and rebuild the object"
                " with one of the gateway's new_signed_* methods"
            )
        signature = self._signer(digest)
        if inspect.isawaitable(signature):
            signature = await signature
        if not isinstance(signature, bytes) or not signature:
            raise SigningError(
                f"the signer of {self.identity.msp_id} returned {type(signature).__name__} instead of signature bytes"
                if not isinstance(signature, bytes)
                else f"the signer of {self.identity.msp_id} returned an empty signature"
            )
        return signature
