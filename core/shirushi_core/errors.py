"""The root of every error this distribution raises on purpose.

ShirushiError
 ├─ InvalidInputError      bytes or values from outside that are not what their format says
 ├─ proofs.*               a proof, seal or receipt that does not hold
 ├─ fabric.*               an identity, signature or message that does not hold
 └─ (upper floors add their own families below ShirushiError)
"""


class ShirushiError(Exception):
    """Base of all errors; its text is one sentence a user can act on."""


class InvalidInputError(ShirushiError):
    """Bytes or values from outside that their format does not allow."""
