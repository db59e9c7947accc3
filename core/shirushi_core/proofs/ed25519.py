"""Which Ed25519 public keys are taken: canonical encodings of points on the curve that are of no small order.

Under a key of small order anybody's "signature" may hold, and one key with two encodings could pass for two. The library checks
neither. Source: RFC 8032 §5.1.3; C2SP signed-note leaves it to us.
"""

from __future__ import annotations

from functools import lru_cache

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields

PUBLIC_KEY_BYTES = 32

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)


def check_public_key(public_key: bytes, where: str) -> bytes:
    """Return a public key that can be trusted to be somebody's; raises InvalidInputError."""
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise fields.unexpected(where, f"{PUBLIC_KEY_BYTES} bytes", public_key)
    problem = _problem(public_key)
    if problem is not None:
        raise InvalidInputError(f"{where}: expected an Ed25519 public key, found {problem}")
    return public_key


@lru_cache(maxsize=1024)
def _problem(public_key: bytes) -> str | None:
    """Say what is wrong with 32 bytes as a key, None if nothing is."""
    encoded = int.from_bytes(public_key, "little")
    y, sign = encoded & ((1 << 255) - 1), encoded >> 255
    if y >= _P:
        return "another encoding of a point than the canonical one"
    x = _x(y)
    if x is None:
        return "no point of the curve"
    if x == 0 and sign:
        return "another encoding of a point than the canonical one"
    if _is_of_small_order(x, y):
        return "a point of small order"
    return None


def _x(y: int) -> int | None:
    """Return one of the two x of the points with this y, None if there are none (RFC 8032 §5.1.3)."""
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if (v * x * x - u) % _P == 0:
        return x
    x = x * _SQRT_OF_MINUS_ONE % _P
    return x if (v * x * x - u) % _P == 0 else None


def _is_of_small_order(x: int, y: int) -> bool:
    """Say whether eight times a point is the neutral one: (0, 1) in projective coordinates."""
    z = 1
    for _ in range(3):
        x, y, z = _doubled(x, y, z)
    return x == 0 and y == z


def _doubled(x: int, y: int, z: int) -> tuple[int, int, int]:
    """Double a point of the twisted Edwards curve with a = -1 (Bernstein and others 2008, "dbl-2008-bbjlp")."""
    b, c, d = (x + y) * (x + y) % _P, x * x % _P, y * y % _P
    f = (d - c) % _P
    j = (f - 2 * z * z) % _P
    return (b - c - d) * j % _P, f * (-c - d) % _P, f * j % _P
