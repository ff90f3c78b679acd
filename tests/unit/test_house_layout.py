"""STYLE, Tests: the tests of a module are found by its name.

They are in `test_<module>.py` or `test_<module>_<topic>.py`; where several modules have one name, `<folder>_<module>` is meant,
as in `test_history_chain.py`. What is tested with something else is in the table below. The sandboxes have tests by product and
topic (`tests/integration/test_sandbox_*.py`).
"""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTED_IN = {
    "events/archive": "unit/test_evidence",
    "events/bookings": "unit/test_bookings",
    "events/commands": "unit/test_repair",
    "events/connection": "integration/test_store",
    "events/consumer": "integration/test_bus",
    "events/feed": "integration/test_outward",
    "events/first_day": "unit/test_going_live",
    "events/files": "unit/test_events_keys",
    "events/holds": "unit/test_holds",
    "events/maps": "unit/test_mapping",
    "projections/state/maps": "unit/test_mapping",
    "projections/deciding/mapping": "unit/test_mapping",
    "projections/words/mapped": "unit/test_words",
    "events/ids": "unit/test_codes",
    "events/insurance": "unit/test_both_ways",
    "events/keyed": "unit/test_events_keys",
    "events/merges": "unit/test_folding_every_event",
    "events/migrate": "integration/test_documents",
    "events/pool": "unit/test_store_away",
    "events/queries": "integration/test_queries_plans",
    "events/records": "stored/test_stored",
    "events/restarts": "unit/test_folding_every_event",
    "events/schema": "unit/test_codec",
    "events/slots": "unit/test_codes",
    "events/terms": "unit/test_codec",
    "events/topics": "unit/test_codec",
    "daemon/cli/recover": "acceptance/test_operator_doctor",
    "daemon/operator/doctor_witness": "acceptance/test_operator_doctor",
    "daemon/runtime/renewal": "integration/test_formats",
    "events/traces": "acceptance/test_tracing",
    "events/watch": "integration/test_bus",
    "events/wrapping": "unit/test_events_keys",
    "events/writes": "unit/test_codec",
    "projections/deciding/holding": "unit/test_holds",
    "projections/deciding/leaving": "unit/test_leaving",
    "projections/deciding/repair": "unit/test_repair",
    "projections/deciding/replies": "unit/test_repair",
    "projections/deciding/settle": "unit/test_policy",
    "projections/matching/compare": "matching/test_levels",
    "projections/matching/distance": "matching/test_levels",
    "projections/matching/frequencies": "matching/test_levels",
    "projections/matching/keys": "matching/test_deciding",
    "projections/matching/names": "matching/test_normal",
    "projections/matching/person": "matching/test_normal",
    "projections/matching/places": "matching/test_normal",
    "projections/matching/scoring": "matching/test_deciding",
    "projections/matching/weights": "matching/test_judged",
    "projections/rules/bookings": "unit/test_bookings",
    "projections/rules/accepted": "unit/test_repair",
    "projections/rules/coverage_merge": "unit/test_both_ways_merging",
    "projections/rules/demographics": "unit/test_fields",
    "projections/rules/holds": "unit/test_holds",
    "projections/rules/insurance": "unit/test_insurance",
    "projections/rules/merging": "unit/test_both_ways_merging",
    "projections/rules/pairing": "unit/test_both_ways_merging",
    "projections/rules/places": "unit/test_bills",
    "projections/rules/policies": "unit/test_insurance",
    "projections/rules/sent": "integration/test_sent_bills",
    "projections/rules/tables": "unit/test_cli_rules",
    "projections/state/bookings": "unit/test_bookings_links",
    "projections/state/freshness": "unit/test_folding",
    "projections/state/leaving": "unit/test_leaving",
    "projections/state/asked": "unit/test_repair",
    "projections/state/coverage": "unit/test_both_ways_switching",
    "projections/state/patient": "unit/test_folding",
    "projections/state/quarantine": "integration/test_recorder_quarantine",
    "projections/state/state": "unit/test_folding",
    "projections/terms/names": "unit/test_words",
    "projections/trial/drift": "acceptance/test_drift",
    "projections/trial/dry_run": "unit/test_matching",
    "projections/trial/told_policies": "unit/test_both_ways",
    "projections/trial/what_if": "unit/test_what_if",
    "projections/words/left_alone": "unit/test_words",
    "projections/words/known": "unit/test_cli_history",
    "projections/words/lines": "unit/test_cli_history",
    "projections/words/moment": "unit/test_cli_history",
    "projections/words/remedy": "unit/test_words",
    "projections/words/shown": "unit/test_words",
    "projections/words/writes": "unit/test_words",
    "daemon/console/app": "integration/test_console_guard",
    "daemon/console/asked": "integration/test_console_pages",
    "daemon/console/entrance": "integration/test_console_guard",
    "daemon/console/handles": "integration/test_console_pages",
    "daemon/console/publishing": "integration/test_console_pages",
    "daemon/console/rules": "integration/test_console_guard",
    "daemon/console/pages/access_log": "integration/test_console_pages",
    "daemon/console/pages/billing": "integration/test_console_pages",
    "daemon/console/pages/deeds": "integration/test_console_pages",
    "daemon/console/pages/doubled": "integration/test_console_pages",
    "daemon/console/pages/finding": "integration/test_console_pages",
    "daemon/console/pages/factor": "integration/test_factors",
    "daemon/console/pages/live": "integration/test_news",
    "daemon/console/pages/provider": "integration/test_oidc",
    "daemon/console/pages/undecided": "integration/test_console_pages",
    "daemon/console/pages/balances": "integration/test_console_days",
    "daemon/console/pages/scheduled": "integration/test_console_days",
    "daemon/tables/look_ups": "acceptance/test_cli_balance",
    "daemon/operator/balance": "acceptance/test_cli_balance",
    "daemon/operator/visits": "integration/test_console_days",
    "daemon/operator/activity": "unit/test_plots",
    "daemon/console/pages/holding": "integration/test_console_holding",
    "daemon/console/pages/overview": "integration/test_console_pages",
    "daemon/console/pages/patient": "integration/test_console_pages",
    "daemon/console/pages/work": "integration/test_console_pages",
    "daemon/cli/console": "integration/test_console_commands",
    "daemon/operator/review": "integration/test_console_pages",
    "daemon/operator/worklist": "integration/test_console_pages",
    "daemon/console/roles": "integration/test_sessions",
    "daemon/cli/user": "integration/test_console_commands",
    "daemon/cli/advice": "integration/test_commands_show_little",
    "daemon/cli/archives": "acceptance/test_audit",
    "daemon/cli/commands": "unit/test_main",
    "daemon/cli/common": "unit/test_cli_history",
    "daemon/cli/demo": "acceptance/test_cli",
    "daemon/cli/ended": "unit/test_cli_history",
    "daemon/cli/explain": "acceptance/test_audit",
    "daemon/cli/failures": "integration/test_commands_fail_well",
    "daemon/cli/hold": "acceptance/test_holding",
    "daemon/cli/maps": "integration/test_mapping_seen",
    "daemon/operator/maps": "integration/test_mapping_seen",
    "daemon/console/pages/settings": "integration/test_settings_shown",
    "daemon/operator/settings": "integration/test_settings_shown",
    "daemon/cli/settings": "integration/test_settings_shown",
    "daemon/console/pages/moving": "integration/test_moving",
    "daemon/console/pages/mapping": "integration/test_mapping_seen",
    "projections/rules/mapping": "integration/test_mapping_seen",
    "daemon/tables/maps": "integration/test_mapping_seen",
    "daemon/operator/holds": "acceptance/test_holding",
    "daemon/runtime/circuit": "integration/test_sink_lanes",
    "daemon/runtime/lanes": "integration/test_sink_lanes",
    "daemon/runtime/outcomes": "integration/test_sink",
    "daemon/runtime/holds": "integration/test_sink_holds",
    "daemon/tables/holds": "acceptance/test_holding",
    "daemon/cli/history_page": "unit/test_cli_history",
    "daemon/cli/migrate": "stored/test_up_and_down",
    "daemon/cli/onboard": "integration/test_onboarding",
    "daemon/cli/progress": "acceptance/test_audit",
    "daemon/cli/replay": "acceptance/test_audit",
    "daemon/cli/run": "crash/test_sigkill",
    "daemon/cli/search": "integration/test_console_agrees",
    "daemon/console/pages/onboarding": "browser/test_onboarded",
    "daemon/console/pages/searching": "integration/test_console_agrees",
    "daemon/console/rehearsals": "browser/test_onboarded",
    "daemon/history/searchable": "integration/test_searching",
    "daemon/operator/onboarding": "integration/test_onboarding",
    "daemon/operator/searching": "integration/test_searching",
    "daemon/runtime/indexer": "browser/test_audited",
    "daemon/tables/history_terms": "integration/test_searching",
    "projections/words/terms_of": "integration/test_searching",
    "daemon/cli/shred": "integration/test_cli_keys_commands",
    "daemon/cli/asking": "integration/test_operator_links",
    "daemon/cli/link": "integration/test_operator_links",
    "daemon/cli/duplicates": "integration/test_duplicates_listed",
    "daemon/operator/duplicates": "integration/test_duplicates",
    "daemon/tables/duplicates": "integration/test_duplicates",
    "daemon/cli/waiting": "acceptance/test_cli_repair",
    "daemon/cli/what_if": "unit/test_what_if",
    "daemon/demo/embedded": "integration/test_bus",
    "daemon/history/events_of": "unit/test_cli_history",
    "daemon/history/explain": "unit/test_cli_history",
    "daemon/history/fold": "integration/test_history_compare",
    "daemon/history/invariants": "acceptance/test_rehearsal_report",
    "daemon/history/what_if": "acceptance/test_audit",
    "daemon/operator/deeds": "integration/test_console_agrees",
    "daemon/tables/identity": "integration/test_factors",
    "daemon/operator/past": "unit/test_cli_history",
    "daemon/operator/waiting": "acceptance/test_cli_repair",
    "daemon/operator/commands": "acceptance/test_cli_repair",
    "daemon/operator/drift": "acceptance/test_drift",
    "daemon/operator/find": "acceptance/test_cli_repair",
    "daemon/operator/finishing": "integration/test_data_keys",
    "daemon/operator/key_rotation": "integration/test_data_keys",
    "daemon/findings": "acceptance/test_operator_doctor",
    "daemon/operator/doctor_kafka": "unit/test_doctor_parts",
    "daemon/operator/doctor_network": "unit/test_doctor_parts",
    "daemon/operator/doctor_postgres": "unit/test_doctor_parts",
    "daemon/operator/doctor_practices": "unit/test_doctor_parts",
    "daemon/vendors/elation/examination": "contract/test_vendors",
    "daemon/vendors/kareo/examination": "contract/test_vendors",
    "daemon/notify": "unit/test_notices",
    "daemon/runtime/kafka": "acceptance/test_cli",
    "daemon/runtime/beside": "acceptance/test_alerts",
    "daemon/runtime/letters": "integration/test_notifier",
    "daemon/runtime/postbox": "integration/test_notifier",
    "daemon/tables/notices": "integration/test_notifier",
    "daemon/runtime/notices": "unit/test_notices",
    "daemon/runtime/counting": "acceptance/test_metrics",
    "daemon/runtime/go_live": "integration/test_onboarding",
    "daemon/runtime/health": "integration/test_listening",
    "daemon/runtime/memory": "third/test_third",
    "daemon/runtime/taking": "acceptance/test_recovery",
    "daemon/runtime/witnessing": "acceptance/test_recovery",
    "daemon/runtime/ownership": "kafka/test_many_practices",
    "daemon/runtime/pace": "integration/test_sink",
    "daemon/runtime/practice": "third/test_third",
    "daemon/runtime/surroundings": "third/test_third",
    "daemon/runtime/system_health": "integration/test_sink",
    "daemon/runtime/systemd": "crash/test_sigkill",
    "daemon/runtime/worker": "kafka/test_many_practices",
    "daemon/sections": "acceptance/test_reload",
    "daemon/servers": "unit/test_config",
    "daemon/shape": "unit/test_config",
    "daemon/tables/observed": "integration/test_documents",
    "daemon/tables/queries": "integration/test_documents",
    "daemon/tables/rows": "simulation/test_postgres_answers",
    "daemon/tables/status": "integration/test_reporter",
    "daemon/tables/unit_of_work": "integration/test_recorder",
    "daemon/vendors/elation/connector": "integration/test_webhooks",
    "daemon/vendors/elation/delivery": "integration/test_webhooks",
    "daemon/vendors/elation/exchange": "unit/test_elation_wire",
    "daemon/vendors/elation/opening": "contract/test_vendors",
    "daemon/vendors/elation/insurers": "integration/test_elation_writer",
    "daemon/vendors/elation/refusals": "unit/test_elation_wire",
    "daemon/vendors/elation/resources": "unit/test_wire_maps",
    "daemon/vendors/elation/section": "unit/test_what_if",
    "daemon/vendors/elation/signature": "unit/test_elation_wire",
    "daemon/vendors/elation/translate": "unit/test_wire_maps",
    "daemon/vendors/kareo/answers": "unit/test_kareo_values",
    "daemon/vendors/kareo/opening": "contract/test_vendors",
    "daemon/vendors/kareo/rows": "unit/test_kareo_values",
    "daemon/vendors/kareo/section": "unit/test_what_if",
    "daemon/vendors/kareo/soap": "integration/test_kareo_failures",
    "daemon/vendors/kareo/wire": "integration/test_kareo_failures",
    "daemon/vendors/ports/errors": "unit/test_attempt",
    "daemon/vendors/ports/passes": "contract/test_vendors",
    "daemon/vendors/ports/vendor": "contract/test_vendors",
    "daemon/vendors/ports/writer": "contract/test_vendors",
    "daemon/vendors/registry": "acceptance/test_reload",
    "daemon/vendors/sections": "unit/test_main",
    "daemon/tables/matching": "integration/test_finding",
    "events/calendar": "unit/test_extreme_dates",
    "events/decoding": "unit/test_codec",
    "events/text": "unit/test_codec",
    "events/watermarks": "unit/test_foreign_messages",
    "projections/deciding/unlinked": "unit/test_links",
    "projections/rules/counterparts": "unit/test_links",
    "projections/rules/links": "unit/test_links",
    "projections/rules/matching": "unit/test_matching",
    "projections/rules/people": "unit/test_links",
    "projections/rules/telling": "unit/test_both_ways_insurers",
    "projections/rules/wants": "unit/test_reconcile",
    "projections/words/likeness": "unit/test_words",
    "projections/terms/given": "unit/test_policies",
    "projections/terms/holder": "unit/test_policies",
    "projections/terms/placeholders": "unit/test_policies",
}
"""Where a module without a test file of its name is tested."""

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


@pytest.mark.parametrize("module", MODULES)
def test_a_modules_tests_are_found_by_its_name_or_in_the_table(module: str) -> None:
    assert by_name(module, TESTS) or module in TESTED_IN


@pytest.mark.parametrize("module", TESTED_IN)
def test_a_row_of_the_table_leads_to_a_test_of_the_module(module: str) -> None:
    assert module in MODULES
    assert module in runs_with(f"tests/{TESTED_IN[module]}")


def test_the_test_of_names_can_fail() -> None:
    assert by_name("daemon/history/chain", ["chain", "events_chain", "chain_of_events"]) == []
    assert by_name("daemon/history/chain", ["history_chain"]) == ["history_chain"]
    assert by_name("daemon/runtime/sink", ["sinking", "sink_order", "sink"]) == ["sink_order", "sink"]
    assert "daemon/runtime/worker" not in runs_with("tests/unit/test_backoff")
