"""What a hold is about, as the command line takes it."""

from __future__ import annotations

from events.holds import HoldScope
from events.ids import charts_of
from events.writes import System
from projections.terms.names import Names

TO = {System.EHR: "to-ehr", System.BILLING: "to-billing"}
"""How the command line takes the system written to."""


def scope_options(scope: HoldScope, names: Names) -> str:
    """The scope of a hold as options of a command."""
    resource = f" --resource {scope.resource}" if scope.resource is not None else ""
    direction = f" --direction {TO[scope.system]}" if scope.system is not None else ""
    return f"{resource}{direction}" + (f" --patient {names.one_of(charts_of(scope.patient))}" if scope.patient else "")
