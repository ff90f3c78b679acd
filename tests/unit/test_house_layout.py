"""The tests of a module are found by its name.

They are in `test_<module>.py` or `test_<module>_<topic>.py`; where several modules have one name, `<folder>_<module>` is meant,
as in `test_history_chain.py`. Else they are in the test files that import it themselves, by `from ... import` of the module or of its
parts (`rg "daemon.tables.open"`). Only what no test file names in an import is in the table below. The sandboxes have tests by product
and topic (`tests/integration/test_sandbox_*.py`).
"""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import LONGEST

ROOT = Path(__file__).parents[2]
TESTED_IN = {
    "events/connection": "integration/test_store",
    "daemon/tables/filling": "integration/test_days",
    "projections/deciding/mapping": "unit/test_mapping",
    "daemon/cli/recover": "acceptance/test_operator_doctor",
    "events/watch": "integration/test_bus",
    "projections/deciding/holding": "unit/test_holds",
    "projections/matching/compare": "matching/test_levels",
    "projections/matching/distance": "matching/test_levels",
    "projections/matching/nicknames": "matching/test_vetoes",
    "projections/matching/sample": "matching/test_deciding",
    "projections/matching/scoring": "matching/test_deciding",
    "projections/rules/coverage_merge": "unit/test_both_ways_merging",
    "projections/rules/demographics": "unit/test_fields",
    "projections/rules/merging": "unit/test_both_ways_merging",
    "projections/state/bookings": "unit/test_bookings_links",
    "projections/state/asked": "unit/test_repair",
    "projections/state/coverage": "unit/test_both_ways_switching",
    "projections/trial/told_policies": "unit/test_both_ways",
    "daemon/console/entrance": "integration/test_console_guard",
    "daemon/console/pages/access_log": "integration/test_console_pages",
    "daemon/console/pages/billing": "integration/test_console_pages",
    "daemon/console/pages/items": "integration/test_console_pages",
    "daemon/console/pages/doubled": "integration/test_console_pages",
    "daemon/console/pages/factor": "integration/test_factors",
    "daemon/console/pages/provider": "integration/test_oidc",
    "daemon/console/pages/undecided": "integration/test_console_pages",
    "daemon/console/pages/balances": "integration/test_console_days",
    "daemon/console/pages/scheduled": "integration/test_console_days",
    "daemon/operator/balance": "acceptance/test_cli_balance",
    "daemon/console/pages/holding": "integration/test_console_holding",
    "daemon/console/pages/overview": "integration/test_console_pages",
    "daemon/console/pages/patient": "integration/test_console_pages",
    "daemon/console/pages/work": "integration/test_console_pages",
    "daemon/operator/review": "integration/test_console_pages",
    "daemon/cli/user": "integration/test_console_commands",
    "daemon/cli/archives": "acceptance/test_audit",
    "daemon/cli/hold": "acceptance/test_holding",
    "daemon/cli/maps": "integration/test_mapping_seen",
    "daemon/console/pages/settings": "integration/test_settings_shown",
    "daemon/cli/settings": "integration/test_settings_shown",
    "daemon/console/pages/mapping": "integration/test_mapping_seen",
    "daemon/tables/maps": "integration/test_mapping_seen",
    "daemon/operator/holds": "acceptance/test_holding",
    "daemon/runtime/outcomes": "integration/test_sink",
    "daemon/tables/holds": "acceptance/test_holding",
    "daemon/cli/parsers": "unit/test_cli_rules",
    "daemon/cli/progress": "acceptance/test_audit",
    "daemon/cli/replay": "acceptance/test_audit",
    "daemon/cli/run": "crash/test_sigkill",
    "daemon/cli/search": "integration/test_console_agrees",
    "daemon/console/pages/onboarding": "browser/test_onboarded",
    "daemon/console/pages/searching": "integration/test_console_agrees",
    "daemon/console/rehearsals": "browser/test_onboarded",
    "daemon/runtime/indexer": "browser/test_audited",
    "daemon/cli/shred": "integration/test_cli_keys_commands",
    "daemon/cli/link": "integration/test_operator_links",
    "daemon/cli/duplicates": "integration/test_duplicates_listed",
    "daemon/history/what_if": "acceptance/test_audit",
    "daemon/operator/past": "unit/test_cli_history",
    "daemon/runtime/kafka": "acceptance/test_cli",
    "daemon/runtime/side_tasks": "acceptance/test_alerts",
    "daemon/runtime/letters": "integration/test_notifier",
    "daemon/runtime/counting": "acceptance/test_metrics",
    "daemon/runtime/ownership": "kafka/test_many_practices",
    "daemon/runtime/system_health": "integration/test_sink",
    "daemon/runtime/systemd": "crash/test_sigkill",
    "daemon/shape": "unit/test_config",
    "daemon/tables/queries": "integration/test_documents",
    "daemon/tables/unit_of_work": "integration/test_recorder",
    "daemon/vendors/elation/bill_writing": "integration/test_elation_writer",
    "daemon/vendors/elation/insurers": "integration/test_elation_writer",
    "daemon/vendors/ports/writer": "contract/test_vendors",
    "events/decoding": "unit/test_codec",
    "projections/deciding/unlinked": "unit/test_links",
    "projections/rules/matching": "unit/test_matching",
    "projections/terms/first_names": "unit/test_policies",
}
"""Where a module is tested that has no test file of its name and that no test file imports."""

MODULES = sorted(
    str(file.relative_to(ROOT).with_suffix(""))
    for package in ("events", "projections", "daemon")
    for file in (ROOT / package).rglob("*.py")
    if file.stem != "__init__" and "sandbox" not in file.parts
)
TESTS = [file.stem.removeprefix("test_") for file in (ROOT / "tests").rglob("test_*.py")]
COMMANDS = [module for module in MODULES if module.startswith("daemon/cli/")]
STEMS = Counter(module.rpartition("/")[2] for module in MODULES)


def by_name(module: str, names: list[str]) -> list[str]:
    """The test files that are found for a module, of `names` without their `test_`."""
    *_, folder, stem = module.split("/")
    called = [f"{folder}_{stem}"] + [stem.strip("_")] * (STEMS[stem] == 1)
    return [name for name in names if any(name == one or name.startswith(f"{one}_") for one in called)]


@cache
def imports(module: str) -> frozenset[str]:
    """The modules of this repository that a module imports; all commands where it starts `daemon` as a process."""
    source = (ROOT / f"{module}.py").read_text()
    found = set(COMMANDS) if module == "daemon/__main__" or '"-m", "daemon"' in source else set()
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        paths = [name.replace(".", "/") for name in names]
        found |= {path for one in paths for path in (one, f"{one}/__init__") if (ROOT / f"{path}.py").is_file()}
    return frozenset(found)


def runs_with(module: str) -> set[str]:
    """It, what it imports, and what that imports."""
    found: set[str] = set()
    due = {module}
    while due:
        found |= due
        due = {other for one in due for other in imports(one)} - found
    return found


@cache
def imported_by_tests() -> frozenset[str]:
    """The modules that a test file imports itself: only files of tests count, not what they share."""
    files = (str(file.relative_to(ROOT).with_suffix("")) for file in (ROOT / "tests").rglob("test_*.py"))
    return frozenset(
        module for file in files if file != HERE for module in imports(file) if module not in COMMANDS or named(file, module)
    )


def named(file: str, module: str) -> bool:
    """Whether a file names a module: one that starts the program imports all commands and names none of them."""
    folder, _, stem = module.replace("/", ".").rpartition(".")
    source = (ROOT / f"{file}.py").read_text()
    return f"{folder}.{stem}" in source or (f"from {folder} import" in source and stem in source)


HERE = "tests/unit/test_house_layout"


def test_a_modules_tests_are_found_by_its_name_by_an_import_or_in_the_table() -> None:
    found = imported_by_tests() | TESTED_IN.keys()
    assert [module for module in MODULES if module not in found and not by_name(module, TESTS)] == []


def test_the_table_holds_only_what_is_found_no_other_way() -> None:
    assert [module for module in TESTED_IN if by_name(module, TESTS) or module in imported_by_tests()] == []


@pytest.mark.parametrize("module", TESTED_IN)
def test_a_row_of_the_table_leads_to_a_test_of_the_module(module: str) -> None:
    assert module in MODULES
    assert module in runs_with(f"tests/{TESTED_IN[module]}")


def test_the_test_of_names_can_fail() -> None:
    assert by_name("daemon/history/chain", ["chain", "events_chain", "chain_of_events"]) == []
    assert by_name("daemon/history/chain", ["history_chain"]) == ["history_chain"]
    assert by_name("daemon/runtime/sink", ["sinking", "sink_order", "sink"]) == ["sink_order", "sink"]
    assert "daemon/runtime/worker" not in runs_with("tests/unit/test_backoff")


def test_the_longest_groups_of_tests_are_there_and_begin_first() -> None:
    assert [one for one in LONGEST if "/" in one and not (ROOT / one).exists()] == []
    assert "--dist loadgroup --no-loadscope-reorder" in (ROOT / ".ci" / "run").read_text()
