"""How much a witness's server takes on, of one address and in all; fair: who holds most gives way to who holds less.

An address is an IPv4 address or an IPv6 /64, of which one host may use any. A proxy in front is one address: it has to have limits of
its own (docs/operators.md).
"""

from __future__ import annotations

import ipaddress
import resource
from collections.abc import Callable

MAX_CONNECTIONS = 512
"""Connections in all, whether idle or busy; fewer where the system gives fewer descriptors."""

CONNECTIONS_PER_ADDRESS = 64
"""Connections of one address: enough for the verifiers of several members behind one proxy."""

MAX_REQUESTS = 256
"""Requests under way in all, those included that wait for a head to be signed; GET /checkpoint is not counted."""

REQUESTS_PER_ADDRESS = 32
"""Requests under way of one address: half of its connections, so that a long wait never keeps all of them."""

MAX_HELD_BYTES = 64 * 1024 * 1024
"""Bodies that are coming and answers that are going, in all."""

HELD_BYTES_PER_ADDRESS = 16 * 1024 * 1024
"""Bodies and answers of one address; a single one may be larger."""

HANDSHAKE_SECONDS = 5.0
"""For the TLS handshake."""

IDLE_SECONDS = 15.0
"""From a connection's start or the end of an answer until the next request's header is there, however slowly it comes."""

BODY_SECONDS = 10.0
"""For a request's body to come, however slowly."""

REQUEST_SECONDS = 30.0
"""For a request to be answered once its body is there, waiting included."""

SEND_SECONDS = 30.0
"""For an answer to be taken, however slowly."""

LINGER_SECONDS = 1.0
"""For the rest of a refused body, so that its sender can read why."""

CLOSE_SECONDS = 2.0
"""For a TLS connection to be closed by both sides."""

MIN_AGE_SECONDS = 1.0
"""Who holds nothing gets a place of who holds no more than one if it was held for so long; others do not, so that places do not just
change hands all the time."""

MAX_LINE_BYTES, MAX_FIELD_BYTES, MAX_HEADERS = 2048, 4096, 64
"""A request's first line, one header, and the number of them."""

ITEMS_AT_ONCE = 64
"""Proofs of one request that are made in one piece; then it is another address's turn."""

MIN_CONNECTIONS = 16
DESCRIPTORS_WANTED = 16_384
SHARE_OF_DESCRIPTORS = 8
"""A server takes no more than this part of the process's descriptors: five witnesses and a ledger may share one process."""


def address_of(host: str) -> str:
    """Return what counts as one address: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)


def connections_allowed() -> int:
    """Return how many connections a server takes, after having asked the system for as many descriptors as it gives."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(DESCRIPTORS_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, soft // SHARE_OF_DESCRIPTORS))


class Held:
    """Something that an address holds until it is released, or given up for somebody who holds less."""

    def __init__(
        self, share: FairShare, address: str, amount: int, since: float, give_up: Callable[[], None]
    ) -> None:
        self.address = address
        self.amount = amount
        self.since = since
        self.give_up = give_up
        self._share = share

    def release(self) -> None:
        """Give it back; more than once is as good as once."""
        self._share.release(self)


class FairShare:
    """What there is `in_all` of something, and for `each` address; for one thread. `clock` is monotonic seconds."""

    def __init__(self, in_all: int, each: int, clock: Callable[[], float]) -> None:
        self._in_all = in_all
        self._each = each
        self._clock = clock
        self._total = 0
        self._held: dict[str, dict[Held, None]] = {}
        self._amounts: dict[str, int] = {}

    @property
    def total(self) -> int:
        """How much is held."""
        return self._total

    def take(self, address: str, amount: int, give_up: Callable[[], None]) -> Held | None:
        """Take something for an address; None if it holds as much as it may, or no other holds more.

        `give_up` is called, once, if it has to be given up; it is released then. What is too large for `each` can be held alone.
        """
        own = self._amounts.get(address, 0)
        if own and own + amount > self._each:
            return None
        while self._total and self._total + amount > self._in_all:
            oldest = self._oldest_of_most()
            most = self._amounts[oldest.address]
            now = self._clock()
            is_newcomer = not own and most >= amount and now >= oldest.since + MIN_AGE_SECONDS
            if most <= own + amount and not is_newcomer:
                return None
            self.release(oldest)
            oldest.give_up()
        held = Held(self, address, amount, self._clock(), give_up)
        self._held.setdefault(address, {})[held] = None
        self._amounts[address] = own + amount
        self._total += amount
        return held

    def give_up_one(self) -> bool:
        """Take the oldest from whoever holds most; False if nobody holds anything."""
        if not self._total:
            return False
        oldest = self._oldest_of_most()
        self.release(oldest)
        oldest.give_up()
        return True

    def release(self, held: Held) -> None:
        """Take back what an address held, if it still does."""
        of_address = self._held.get(held.address)
        if of_address is None or held not in of_address:
            return
        del of_address[held]
        self._total -= held.amount
        self._amounts[held.address] -= held.amount
        if not of_address:
            del self._held[held.address], self._amounts[held.address]

    def _oldest_of_most(self) -> Held:
        address = max(self._amounts, key=self._amounts.__getitem__)
        return next(iter(self._held[address]))
