"""Alert rules, dashboard and guide speak of metrics that exist, with labels and values that exist."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from daemon.cli.commands import parser_of
from daemon.demo.embedded import free_port
from daemon.runtime.metrics import CODES
from daemon.servers import MetricsConfig
from events.codes import WaitCode
from tests.acceptance.test_metrics import samples
from tests.bench.scrape import ManyPractices, served
from tests.promtool import promtool

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "chartwire.rules.yml"
GUIDE = DEPLOY / "MONITORING.md"
SOURCES = "".join(file.read_text() for room in ("daemon", "events") for file in (DEPLOY.parent / room).rglob("*.py"))
NAME = re.compile(r"\b(?:chartwire|process|python_gc)_[a-z_]+")
SELECTOR = re.compile(r"\b(chartwire_[a-z_]+)\{([^}]*)\}")
OF_PROMETHEUS = {"instance", "job"}


async def told() -> dict[str, set[str]]:
    """Every series' name of a scrape, with its labels."""
    text, _ = await served(ManyPractices(20), MetricsConfig(listen=f"127.0.0.1:{free_port()}"))
    return {name: {label for labels, _ in rows for label in labels} for name, rows in samples(text).items()}


def expressions() -> list[str]:
    dashboard = json.loads((DEPLOY / "grafana" / "chartwire.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [one["query"]["query"] for one in dashboard["templating"]["list"] if isinstance(one["query"], dict)]
    lines = RULES.read_text().splitlines()
    return [*asked, *(line for line in lines if "chartwire_" in line)]


async def test_rules_and_dashboard_ask_for_metrics_that_exist() -> None:
    known = await told()
    asked = {name for one in expressions() for name in NAME.findall(one)}
    assert len(asked) > 30
    assert asked - known.keys() == set()


async def test_what_they_select_by_and_group_by_is_a_label_of_the_metric() -> None:
    known = await told()
    for expression in expressions():
        for name, selector in SELECTOR.findall(expression):
            labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
            assert labels <= known[name] | OF_PROMETHEUS, expression
        for grouped, name in re.findall(r"by \(([^)]*)\) \((?:rate|increase)?\(?(chartwire_[a-z_]+)", expression):
            assert {one.strip() for one in grouped.split(",")} <= known[name] | OF_PROMETHEUS, expression


async def test_every_metric_is_shown_and_explained() -> None:
    own = {re.sub(r"_(bucket|count|sum)$", "", one) for one in await told() if one.startswith("chartwire_")}
    text = GUIDE.read_text()
    assert {one for one in own if f"`{one}`" not in text} == set()


def test_every_alert_is_explained() -> None:
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    assert [one for one in alerts if f"| `{one}` |" not in GUIDE.read_text()] == []
    assert len(re.findall(r"^ +action: ", RULES.read_text(), re.MULTILINE)) == len(alerts)


def actions() -> dict[str, str]:
    """What each alert says to do."""
    found = re.findall(r'- alert: (\w+)$.*?^ +action: "([^"]+)"$', RULES.read_text(), re.MULTILINE | re.DOTALL)
    return dict(found)


@pytest.mark.parametrize(("alert", "action"), sorted(actions().items()))
def test_what_an_alert_says_to_do_can_be_done(alert: str, action: str) -> None:
    """Its commands are commands that take these options, its units are installed, and what it says to look for in the log is logged."""
    said = re.sub(r"\{\{ \$labels\.code \}\}", WaitCode.TROUBLED.value, action)
    commands = re.findall(r"\bchartwire ([a-z-]+(?: --[a-z-]+ [a-z-]+)*)", said)
    for command in commands:
        parsed = parser_of(shlex.split(command)).parse_args(shlex.split(command))
        assert callable(parsed.handler), command
    units = {one.stem for one in (DEPLOY / "systemd").glob("*.service")}
    named = re.findall(r"(?:systemctl [a-z]+|journalctl -u) ([a-z@-]+)", said)
    assert set(named) <= units, alert
    for name in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", said):
        assert f'"{name}"' in SOURCES or f"{name}:" in SOURCES, f"{alert}: {name} is nowhere in the code"
    assert commands or named or re.search(r"raise|more|another|page", said), f"{alert} says nothing to do"


def test_every_alert_has_an_action_and_a_summary() -> None:
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    assert list(actions()) == alerts
    assert len(re.findall(r'^ +summary: "[^"]{20,}"$', RULES.read_text(), re.MULTILINE)) == len(alerts)


def test_codes_of_the_rules_are_codes() -> None:
    named = re.findall(r'code=~"([^"]+)"', RULES.read_text())
    assert named
    assert {code for one in named for code in one.split("|")} <= CODES


def test_promtool_takes_the_rules_and_the_example() -> None:
    tool = promtool()
    if tool is None:
        pytest.skip("promtool is not here, and Debian's package cannot be downloaded")
    for command in (["check", "rules", RULES], ["check", "config", RULES.with_name("prometheus.yml")]):
        done = subprocess.run([tool, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
