"""Whom a command is about: every patient that it names, whatever the form that asked for it says."""

from __future__ import annotations

from events.commands import MoveLinkRequested, ReleaseRequested, TellApartRequested
from events.holds import scope_in
from events.ids import BillingPatientId, Charts, EhrChartId, PatientKey, billing_key, charts_of, ehr_key, keys_named
from events.schema import Event
from events.writes import System


def patients_named(command: Event) -> tuple[PatientKey, ...]:
    """The patients, by each chart that the command names; none for what is about the practice."""
    keys = keys_named(Charts(command.ehr, command.billing))
    match command.body:
        case MoveLinkRequested() as move:
            return (*keys, billing_key(move.source))
        case TellApartRequested() as apart if apart.system is System.EHR:
            return tuple(ehr_key(EhrChartId(one)) for one in (apart.one, apart.other))
        case TellApartRequested() as apart:
            return tuple(billing_key(BillingPatientId(one)) for one in (apart.one, apart.other))
        case ReleaseRequested() as release:
            return _of_hold(release.slot)
    return keys


def _of_hold(slot: str) -> tuple[PatientKey, ...]:
    """Whose hold a slot names; nobody's for a text that was made up."""
    scope = scope_in(slot)
    try:
        return keys_named(charts_of(scope.patient)) if scope is not None else ()
    except ValueError:
        return ()
