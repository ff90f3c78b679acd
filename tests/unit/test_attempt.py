"""What follows from each error of the port, as a table. A new error needs a row."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from daemon.runtime.attempt import (
    CREDENTIALS,
    HIDDEN,
    THROTTLED,
    TROUBLED,
    TROUBLED_TRIES,
    UNREACHABLE,
    UNUSABLE,
    Attempt,
    Look,
    Pause,
    Refuse,
    Stopped,
    Superseded,
    after,
    after_lookup,
)
from daemon.vendors.ports import errors
from events.backoff import Backoff
from events.ids import EhrChartId, IntentId, ehr_key
from events.schema import EhrChartObserved, IntentRefused, IntentSuperseded
from events.writes import AnyWrite, Resource, SearchEhr, System, UpdateEhrChart
from projections.state.open_intents import OpenIntent
from tests.unit.records import ADA

NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
CHANGE = UpdateEhrChart(chart=ADA.id, fields={"city": "Macon"}, expected={"city": "Augusta"})
SEARCH = SearchEhr(first_name="Ada", last_name="Byron")


def attempt(write: AnyWrite) -> Attempt:
    job = OpenIntent(intent=IntentId("i1"), system=System.EHR, resource=Resource.DEMOGRAPHICS, write=write, rule="a rule")
    return Attempt("a slot", job, 2, ehr_key(EhrChartId(ADA.id)))


def refusal(code: str, text: str, raw: str = "", *, answered: bool = True) -> Refuse:
    body = IntentRefused(intent=IntentId("i1"), slot="a slot", attempt=2, code=code, text=text, raw=raw)
    return Refuse(body, answered)


def defect(name: str) -> Refuse:
    return refusal("defect", f"chartwire could not carry this out ({name}); report it", answered=False)


SEEN = EhrChartObserved(chart=ADA)
FASTER = Superseded(
    IntentSuperseded(intent=IntentId("i1"), slot="a slot", reason="the record was changed meanwhile"), SEEN, None, NOW
)
NOT_KEPT = refusal("not-kept", "Elation took the write but shows another value in: last name, city")

NONE_CREATED = Stopped(
    IntentSuperseded(intent=IntentId("i1"), slot="a slot", reason="Elation creates none with this account as it is set up")
)

# error, after a write, after a search, after a look-up
TABLE: list[tuple[Exception, object, object, object]] = [
    (errors.Throttled("op", 7.0), Pause(None, 7.0), Pause(None, 7.0), Pause(None, 7.0)),
    (errors.Unauthorized("op"), Pause(CREDENTIALS), Pause(CREDENTIALS), Pause(CREDENTIALS)),
    (errors.PracticeHidden("op"), Pause(HIDDEN), Pause(HIDDEN), Pause(HIDDEN)),
    (errors.CredentialsRefused("op"), Pause(CREDENTIALS), Pause(CREDENTIALS), Pause(CREDENTIALS)),
    (errors.Troubled("op"), Pause(TROUBLED, look=True), Pause(TROUBLED), Pause(TROUBLED, look=True)),
    (errors.Unreachable("op"), Pause(UNREACHABLE), Pause(UNREACHABLE), Pause(UNREACHABLE)),
    (errors.OutcomeUnknown("op"), Look(), Pause(UNUSABLE), Pause(UNUSABLE)),
    (errors.Malformed("op", "$.id"), Look(), Pause(UNUSABLE), Pause(UNUSABLE)),
    (
        errors.NotForAccount("op", vendor_text="ProviderGuids"),
        NONE_CREATED,
        NONE_CREATED,
        refusal("notforaccount", "ProviderGuids", "ProviderGuids"),
    ),
    *(
        (error, refusal(code, text, raw), refusal(code, text, raw), refusal(code, text, raw))
        for error, code, text, raw in [
            (errors.Refused("op", vendor_text="x" * 300, status=400), "refused", "x" * 200, "x" * 300),
            (errors.Refused("op", problems=(("city", "", "is not a city"),)), "refused", "city is not a city", ""),
            (errors.Defect("op", status=400), "defect", "HTTP 400", ""),
            (errors.NotFound("op", status=404), "notfound", "HTTP 404", ""),
            (errors.Gone("op", status=410), "gone", "HTTP 410", ""),
            (errors.Moved("op", 12), "moved", "HTTP 303", ""),
            (errors.Duplicate("op", 12, vendor_text="exists"), "duplicate", "exists", "exists"),
        ]
    ),
    (errors.NotAsWritten(("last_name", "city")), NOT_KEPT, NOT_KEPT, Pause(None)),
    (errors.ChangedMeanwhile(SEEN, None, NOW), FASTER, FASTER, Pause(None)),
    (errors.VendorError("op"), Look(), Pause(None), Pause(None)),
    (KeyError("a patient's own words"), Look(), Pause(None), Pause(None)),
    (MemoryError(), Look(), Pause(None), Pause(None)),
]
NAMES = [f"{type(error).__name__} {number}" for number, (error, *_) in enumerate(TABLE)]


@pytest.mark.parametrize(("error", "of_write", "of_search", "of_lookup"), TABLE, ids=NAMES)
def test_an_error_leads_to(error: Exception, of_write: object, of_search: object, of_lookup: object) -> None:
    assert after(error, attempt(CHANGE), 1, "Elation") == of_write
    assert after(error, attempt(SEARCH), 1, "Elation") == of_search
    assert after_lookup(error, attempt(CHANGE), 1) == of_lookup


def test_every_error_of_the_port_has_a_row() -> None:
    own = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)]
    assert {one for one in own if one.__module__ == errors.__name__} <= {type(error) for error, *_ in TABLE}


def test_asking_for_patience_is_shown_once_it_is_too_much() -> None:
    found = [after(errors.Throttled("op", 1.0), attempt(CHANGE), failures, "Elation") for failures in (1, 2, 3, 4)]
    assert found == [Pause(None, 1.0), Pause(None, 1.0), Pause(THROTTLED, 1.0), Pause(THROTTLED, 1.0)]


def test_the_words_of_a_defect_quote_nobody() -> None:
    refused = after(KeyError("a patient's own words"), replace(attempt(CHANGE), number=3), 1, "Elation")
    assert isinstance(refused, Refuse)
    assert "own words" not in str(refused.body)


def test_what_nobody_thought_of_is_a_defect_the_third_time() -> None:
    third = replace(attempt(CHANGE), number=3)
    assert after(KeyError("x"), third, 1, "Elation") == numbered(defect("KeyError"), 3)
    assert after_lookup(KeyError("x"), attempt(CHANGE), 3) == defect("KeyError")


def numbered(one: Refuse, number: int) -> Refuse:
    return replace(one, body=msgspec.structs.replace(one.body, attempt=number))


def test_a9_trouble_of_the_vendors_own_is_tried_again_for_hours_and_then_waits_for_a_person() -> None:
    error = errors.Troubled("op", vendor_text="An unexpected error occurred.")
    found = [after(error, attempt(CHANGE), failures, "Kareo") for failures in range(1, TROUBLED_TRIES + 2)]
    assert found[:-1] == [Pause(TROUBLED, look=True)] * TROUBLED_TRIES
    assert isinstance(found[-1], Refuse)
    assert found[-1].body.code == "troubled"
    assert found[-1].body.raw == "An unexpected error occurred."
    backoff = Backoff()
    assert sum(backoff.pause(one, lambda least, _most: least) for one in range(1, TROUBLED_TRIES + 1)) > 3 * 3600
