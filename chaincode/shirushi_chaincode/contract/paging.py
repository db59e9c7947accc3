"""Reading a range of keys page by page."""

from __future__ import annotations

from dataclasses import dataclass

from shirushi_chaincode.contract.errors import Code, ContractError
from shirushi_core.fabric.chaincode import KeyValue, Stub
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import Json

MAX_PAGE_SIZE = 100
MAX_BOOKMARK_CHARACTERS = 512

PAGE_FIELDS = frozenset({"bookmark", "page_size"})


@dataclass(frozen=True, slots=True)
class Page:
    """Which page is asked for: {"bookmark": "" or what the page before it answered, "page_size": 1..100}."""

    size: int
    bookmark: str

    @classmethod
    def from_json(cls, argument: Json) -> Page:
        """Parse strictly; raises InvalidInputError."""
        members = fields.an_object(argument, "argument", PAGE_FIELDS)
        return cls.from_fields(members["page_size"], members["bookmark"])

    @classmethod
    def from_fields(cls, page_size: Json, bookmark: Json) -> Page:
        """Check the two fields; raises InvalidInputError."""
        if not isinstance(bookmark, str) or len(bookmark) > MAX_BOOKMARK_CHARACTERS:
            raise fields.unexpected(
                "bookmark", "the bookmark of the page before, or an empty string", bookmark
            )
        size = fields.an_integer(page_size, "page_size")
        return cls(fields.check_range(size, "page_size", 1, MAX_PAGE_SIZE), bookmark)


async def read_page(stub: Stub, keys: tuple[str, str], page: Page) -> tuple[list[KeyValue], str]:
    """Return a page of the range and the next bookmark; raises ContractError for a bookmark of another range."""
    start, end = keys
    if page.bookmark and not start <= page.bookmark < end:
        # The ledger starts reading at the bookmark, wherever that is.
        raise ContractError(Code.INVALID_ARGUMENT, "bookmark: expected one that this query has answered")
    return await stub.get_state_by_range_with_pagination(start, end, page.size, page.bookmark)
