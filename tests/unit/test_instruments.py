"""What the meter hears becomes series: few, and with no value that comes from a record."""

from __future__ import annotations

import pytest
from prometheus_client.exposition import generate_latest

from daemon.instruments import COUNTED, TIMED, Instruments


def shown(instruments: Instruments) -> str:
    return generate_latest(instruments.registry).decode()


def test_a_call_is_counted_by_outcome_and_timed() -> None:
    instruments = Instruments()
    instruments.call("elation.GET /patients/{id}/", "ok", 0.2)
    instruments.call("elation.GET /patients/{id}/", "throttled", 0.01)
    instruments.waited("kareo.GetPatients", 1.2)
    text = shown(instruments)
    labels = 'operation="GET /patients/{id}/",outcome="ok",vendor="elation"'
    assert f"chartwire_vendor_calls_total{{{labels}}} 1.0" in text
    assert 'chartwire_vendor_call_seconds_count{operation="GET /patients/{id}/",vendor="elation"} 2.0' in text
    assert 'chartwire_vendor_turn_seconds_bucket{le="1.0",vendor="kareo"} 0.0' in text
    assert 'chartwire_vendor_turn_seconds_bucket{le="5.0",vendor="kareo"} 1.0' in text
    assert instruments.calls["elation.GET /patients/{id}/", "ok"] == 1, "the demo's summary reads the meter itself"


@pytest.mark.parametrize("name", COUNTED)
def test_every_name_of_the_table_is_counted_with_its_labels(name: str) -> None:
    instruments = Instruments()
    metric, _, labels = COUNTED[name]
    instruments.count(".".join([name, *(f"a{label}" for label in labels)]), 3)
    given = ",".join(f'{label}="a{label}"' for label in sorted(labels))
    assert f"chartwire_{metric}_total{f'{{{given}}}' if labels else ''} 3.0" in shown(instruments)


@pytest.mark.parametrize("name", TIMED)
def test_every_duration_of_the_table_is_observed_with_its_labels(name: str) -> None:
    instruments = Instruments()
    metric, _, labels, _ = TIMED[name]
    instruments.took(".".join([name, *(f"a{label}" for label in labels)]), 2.0)
    given = ",".join(f'{label}="a{label}"' for label in sorted(labels))
    assert f"chartwire_{metric}_sum{f'{{{given}}}' if labels else ''} 2.0" in shown(instruments)


def test_what_no_table_holds_is_kept_by_the_meter_alone() -> None:
    instruments = Instruments()
    instruments.count("something_new")
    instruments.took("something_else", 1.0)
    assert "something" not in shown(instruments)
    assert instruments.counts["something_new"] == 1


def test_what_never_happened_is_told_as_zero() -> None:
    """An alert on an increase needs the series to be there before."""
    text = shown(Instruments())
    for name, (metric, _, labels) in COUNTED.items():
        assert (f"chartwire_{metric}_total 0.0" in text) is not bool(labels), name
