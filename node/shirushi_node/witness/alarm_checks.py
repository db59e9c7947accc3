"""Checking blocks for alarms beside following them: in a thread of its own, which may lag and must not hold the log up.

Blocks wait in a queue that is bounded. While the witness is level with its peer nobody waits for room in it: what finds none is not
checked, and that is an alarm. While it catches up it waits for a moment, so that history is checked as well.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

from shirushi_node.witness.alarms import Alarm, AlarmBook, AlarmKind
from shirushi_node.witness.block_check import Configuration, read_configuration
from shirushi_node.witness.preparing import Check
from shirushi_node.witness.store import Block

MAX_WAITING = 1024
MAX_WAITING_BYTES = 16 << 20
"""Blocks that wait to be checked; one of any size always may."""

PATIENCE = 10.0
"""Seconds that blocks which are caught up with wait for room."""

STOP_SECONDS = 5.0

_Skipped: TypeAlias = tuple[int, int, int]
"""First and last block, and how many."""


class AlarmChecks:
    """Checks the blocks that are offered, in order, and tells the book. start() it, offer from one thread, stop() it."""

    def __init__(self, check: Check, config_block: Callable[[], bytes], book: AlarmBook, name: str) -> None:
        """`config_block` gives the newest block with a configuration that stands before the first one offered."""
        self._check = check
        self._config_block = config_block
        self._book = book
        self._changed = threading.Condition()
        self._waiting: deque[Block] = deque()
        self._bytes = 0
        self._skipped: _Skipped | None = None
        self._skipped_config: bytes | None = None
        self._stopping = False
        self._busy = False
        self._configuration: Configuration | None = None
        # A daemon: a library that never returns must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._configuration = read_configuration(self._config_block())
        self._thread.start()

    def stop(self) -> None:
        """End soon; what is not checked yet is left out."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    def offer(self, blocks: Sequence[Block], *, patience: float = 0.0) -> None:
        """Have blocks checked, if there is room for them within so many seconds in all."""
        with self._changed:
            for block in blocks:
                if self._has_room() or (patience and self._changed.wait_for(self._has_room, patience)):
                    self._waiting.append(block)
                    self._bytes += len(block.committed.data)
                else:
                    patience = 0.0
                    number = block.committed.number
                    first, count = (number, 0) if self._skipped is None else self._skipped[::2]
                    self._skipped = (first, number, count + 1)
                    if block.derived.brings_config:
                        self._skipped_config = block.committed.data
            self._changed.notify_all()

    def settle(self, seconds: float) -> bool:
        """Wait until everything that was offered is checked; False if it is not within so many seconds."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._waiting and not self._busy and not self._skipped, seconds
            )

    def _has_room(self) -> bool:
        return self._stopping or (
            not self._skipped
            and (not self._waiting or (len(self._waiting) < MAX_WAITING and self._bytes < MAX_WAITING_BYTES))
        )

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._stopping or self._waiting or self._skipped)
                if self._stopping:
                    return
                self._busy = True
                block = self._waiting.popleft() if self._waiting else None
                if block is not None:
                    self._bytes -= len(block.committed.data)
                    self._changed.notify_all()
                else:  # those before the skipped ones are checked
                    skipped, self._skipped = self._skipped, None
                    config, self._skipped_config = self._skipped_config, None
            if block is not None:
                self._look_at(block)
            elif skipped is not None:
                if config is not None:
                    self._configuration = read_configuration(config)
                first, last, count = skipped
                sentence = f"{count} blocks, {first} to {last}, were not checked: checking lags behind"
                self._book.add([Alarm(AlarmKind.SKIPPED, first, sentence)])

    def _look_at(self, block: Block) -> None:
        configuration = self._configuration
        assert configuration is not None  # noqa: S101 - start() has read one
        try:
            alarms = self._check(block.committed, block.before, configuration)
            if block.derived.brings_config:
                self._configuration = read_configuration(block.committed.data)
        except BaseException as error:
            sentence = f"the block could not be checked: {type(error).__name__}: {error}"
            alarms = (Alarm(AlarmKind.NOT_CHECKED, block.committed.number, sentence),)
        if alarms:
            self._book.add(alarms)
