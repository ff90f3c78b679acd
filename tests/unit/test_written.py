"""Values of fields as people of the trade write them, and that nothing of the rules is loaded for it."""

from __future__ import annotations

import subprocess
import sys

from projections.words.written import as_written


def test_values_are_written_as_people_of_the_trade_do() -> None:
    assert as_written("1961-03-14", "birth_date") == "3/14/1961"
    assert as_written("not known", "birth_date") == "not known"
    assert as_written("3035550142", "home_phone") == as_written("3035550142", "phone") == "(303) 555-0142"
    assert as_written("509", "provider", {"509": "Meredith Grey"}) == "Meredith Grey"
    assert as_written("509", "provider") == "509"


def test_a_command_that_shows_no_rule_loads_none() -> None:
    """`chartwire status` is asked again and again: half of its start was the rules' tables, a tenth what patients are."""
    heavy = ("projections.rules", "projections.state")
    asked = f"import sys, daemon.cli.status; print([one for one in sys.modules if one.startswith({heavy!r})])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
