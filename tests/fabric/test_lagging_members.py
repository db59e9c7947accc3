"""Two liars and one honest member that is cut off, on real Fabric."""

from tests.faults.test_lagging_members import (
    scene,
    test_a_quarter_of_an_hour_later_they_confirm_nothing_whatever_times_they_sign,
    test_by_the_ledger_they_bring_about_no_verdict,
    test_offline_what_they_signed_is_as_of_then_and_a_week_later_nothing,
    test_two_members_that_lie_change_nothing,
    test_with_one_that_is_cut_off_the_report_is_right_as_of_the_time_that_it_names,
)

__all__ = [
    "scene",
    "test_a_quarter_of_an_hour_later_they_confirm_nothing_whatever_times_they_sign",
    "test_by_the_ledger_they_bring_about_no_verdict",
    "test_offline_what_they_signed_is_as_of_then_and_a_week_later_nothing",
    "test_two_members_that_lie_change_nothing",
    "test_with_one_that_is_cut_off_the_report_is_right_as_of_the_time_that_it_names",
]
