"""Epochs and their keys: every time has one epoch, every epoch one key, and keys sort as epochs do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.epoch import (
    EPOCH_SECONDS,
    EXPIRY_EPOCHS,
    MAX_EPOCH,
    epoch_of,
    epoch_of_key,
    tick_key,
    ticks_from,
)
from shirushi_core.proofs.fields import MAX_UNIX_SECONDS

epochs = st.integers(0, MAX_EPOCH)


@pytest.mark.parametrize(
    ("time", "epoch"), [(0, 0), (299, 0), (300, 1), (1_795_996_800, 5_986_656), (1_795_997_099, 5_986_656)]
)
def test_an_epoch_is_five_minutes_of_time(time, epoch):
    assert epoch_of(time) == epoch


def test_a_ticks_key_is_its_epoch_in_twelve_digits():
    assert tick_key(5_986_656) == "tick/000005986656"


@pytest.mark.parametrize("time", [-1, MAX_UNIX_SECONDS + 1])
def test_what_is_no_time_has_no_epoch(time):
    with pytest.raises(InvalidInputError, match="time"):
        epoch_of(time)


@pytest.mark.parametrize("epoch", [-1, MAX_EPOCH + 1])
def test_what_is_no_epoch_has_no_key(epoch):
    with pytest.raises(InvalidInputError, match="epoch"):
        tick_key(epoch)
    with pytest.raises(InvalidInputError, match="epoch"):
        ticks_from(epoch)


@given(st.integers(0, MAX_UNIX_SECONDS))
def test_every_time_has_a_key_and_a_range_that_ends_it(time):
    epoch = epoch_of(time)
    assert epoch_of_key(tick_key(epoch)) == epoch
    start, end = ticks_from(epoch + EXPIRY_EPOCHS)
    assert start < end


@given(epochs, epochs)
def test_keys_sort_as_epochs_do(one, other):
    assert (tick_key(one) < tick_key(other)) == (one < other)


@given(epochs, epochs)
def test_a_range_holds_the_ticks_from_its_epoch_on_and_no_others(first, epoch):
    start, end = ticks_from(first)
    assert (start <= tick_key(epoch) < end) == (epoch >= first)


@pytest.mark.parametrize("key", ["tick/", "tick", "tick0", "status/00", "batch/00", "issuer/tick"])
def test_ranges_hold_no_key_of_another_kind(key):
    start, end = ticks_from(0)
    assert epoch_of_key(key) is None
    assert not start <= key < end


@pytest.mark.parametrize(
    "key",
    [
        "tick/1",
        "tick/0000000000001",
        "tick/00000000001",
        "tick/00000000000a",
        "tick/-00000000001",
        "tick/+00000000001",
        "tick/ 00000000001",
        "tick/000000000001\n",
        "tick/00000000000\u0661",  # a digit, but not ours
        "tick/999999999999",
        "Tick/000000000001",
        " tick/000000000001",
    ],
)
def test_a_key_that_only_resembles_a_ticks_names_no_epoch(key):
    assert epoch_of_key(key) is None


@given(st.text(max_size=20) | st.from_regex(r"tick/[0-9]{11,13}", fullmatch=True))
def test_a_key_that_names_an_epoch_is_that_epochs_key(key):
    epoch = epoch_of_key(key)
    assert epoch is None or tick_key(epoch) == key


def test_a_transaction_outlives_the_two_epochs_after_its_own():
    assert EXPIRY_EPOCHS * EPOCH_SECONDS == 900
