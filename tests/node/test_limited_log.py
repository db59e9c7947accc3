"""Log lines that others can bring about stay few."""

from __future__ import annotations

import logging

import pytest

from shirushi_node.limited_log import LimitedFilter, LimitedLog


def test_a_thousand_troubles_are_one_line_and_the_next_says_how_many(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0.0]
    log = LimitedLog(logging.getLogger("test"), seconds=60, clock=lambda: now[0])
    for _ in range(1000):
        log.warning("a connection was turned away")
    assert [record.getMessage() for record in caplog.records] == ["a connection was turned away"]
    now[0] = 60.0
    log.warning("a connection was turned away")
    assert "999 times" in caplog.records[1].getMessage()


def test_a_librarys_records_pass_one_at_a_time(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    logger = logging.getLogger("test.library")
    limit = LimitedFilter(seconds=60, clock=lambda: now[0])
    logger.addFilter(limit)
    try:
        for _ in range(1000):
            logger.error("trouble")
        now[0] = 61.0
        logger.error("trouble again")
    finally:
        logger.removeFilter(limit)
    assert [record.getMessage() for record in caplog.records] == ["trouble", "trouble again"]
