"""deploy/observability/METRICS.md is what the code measures; `make metrics` writes it."""

from infra import metrics_table, observability
from worker.telemetry.meters import Meters


def test_the_table_is_what_the_code_says() -> None:
    assert observability.METRICS.read_text() == metrics_table.table(), "run `make metrics`"


def test_every_instrument_stands_in_it_and_can_be_told_by_what_it_says() -> None:
    instruments = metrics_table.all_of_them()
    assert [one.instrument for one in metrics_table.served()] == instruments
    assert len({one.what for one in instruments}) == len(instruments)


def test_every_histogram_is_recorded_by_somebody() -> None:
    histograms = {one for one in metrics_table.all_of_them() if one.kind == "histogram"}
    assert {timer.instrument for timer in Meters().timers} == histograms


def test_a_closed_list_is_of_a_label_that_is_there() -> None:
    for (instrument, label), values in metrics_table.VALUES.items():
        assert label in instrument.labels
        assert len(set(values)) == len(values) > 1
