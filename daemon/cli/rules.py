"""`chartwire rules`: what is synchronized, field by field, with its direction and its source, from the rows that act."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping
from html import escape

import msgspec

from daemon.cli.parsers import Commands
from daemon.cli.printing import say
from events.writes import Resource
from projections.rules.tables import TABLES, Rule, RuleTable, direction_in_words, extensions
from projections.terms.names import NAMES, Names
from projections.terms.policy import PREFERENCES, PROFILES, Direction

WIDTHS = (26, 23, 23, 20)
"""The columns of a terminal that is 100 characters wide: field, chart side, billing side, source."""
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; --line: #d8dde3; --soft: #5b6570; --back: #fff; --text: #1c2126; }
@media (prefers-color-scheme: dark) { :root { --line: #39424c; --soft: #9aa5b1; --back: #14181c; --text: #e4e8ec; } }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem;
  background: var(--back); color: var(--text); }
h1 { font-size: 1.4rem; margin: 0 0 .2rem; } h2 { font-size: 1.05rem; margin: 1.8rem 0 .2rem; }
p { color: var(--soft); margin: 0 0 .6rem; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
thead th { font-size: .8rem; color: var(--soft); font-weight: 600; border-bottom-width: 2px; }
tbody th { font-weight: 600; } td { overflow-wrap: anywhere; } td.source { color: var(--soft); }
@media print { body { margin: 0; max-width: none; font-size: 10pt; } tr { break-inside: avoid; } }
"""


def register(commands: Commands) -> None:
    parser = commands.add_parser(
        "rules", help="what is synchronized: every field, its direction and where the rule comes from"
    )
    default = next(iter(PROFILES))
    parser.add_argument("--profile", choices=tuple(PROFILES), default=default, help=f"default {default}")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--html", action="store_true", help="one page that loads nothing, to print or to send")
    parser.set_defaults(handler=rules)


def rules(arguments: argparse.Namespace) -> int:
    """Print the tables under a profile; nothing is read but the program itself."""
    directions = PROFILES[arguments.profile]
    if arguments.json:
        say(*as_json(arguments.profile, directions, NAMES).rstrip("\n").split("\n"))
    elif arguments.html:
        say(*as_page(arguments.profile, directions, NAMES).rstrip("\n").split("\n"))
    else:
        say(*as_text(arguments.profile, directions, NAMES))
    return 0


def _tables(profile: str, directions: Mapping[Resource, Direction]) -> list[tuple[RuleTable, Direction]]:
    """Every table with its direction; what is this project's own extension comes last."""
    return [*((table, directions[table.resource]) for table in TABLES), *extensions(profile)]


def _title(table: RuleTable, direction: Direction, names: Names) -> str:
    return f"{table.title}: {direction_in_words(direction, names)}"


def _profiles(names: Names) -> list[str]:
    """Each profile's rows, and who wins a conflict, for people."""
    found: list[str] = []
    for profile, directions in PROFILES.items():
        parts = [f"{one.value} {direction_in_words(way, names)}" for one, way in directions.items()]
        wins = [f"{one.value} {names.label(side)}" for one, side in PREFERENCES[profile].items()]
        own = [f"{one.resource.value} {direction_in_words(way, names)}" for one, way in extensions(profile)]
        beyond = f" An extension of chartwire's own, off by default: {', '.join(own)}." if own else ""
        found.append(f"{profile}: {', '.join(parts)}. Changed on both sides, these win: {', '.join(wins)}.{beyond}")
    return found


def _cells(rule: Rule, direction: Direction, names: Names) -> tuple[str, ...]:
    only = f" (only {direction_in_words(Direction.TO_EHR, names)})" if rule.one_way and direction is Direction.BOTH else ""
    return rule.label + only, rule.ehr, rule.billing, rule.source.removeprefix("guide: ")


# -- for a terminal -------------------------------------------------------------------------------------------------------


def as_text(profile: str, directions: Mapping[Resource, Direction], names: Names) -> list[str]:
    """Lines of at most 100 characters; a long cell goes on below itself."""
    lines = [f"Profile {profile}. Fields that are not listed are never touched. Sources are sections of the guide."]
    for one in _profiles(names):
        lines += ["", *textwrap.wrap(one, 100)]
    heads = ("Field", names.ehr.label, names.billing.label, "Source")
    for table, direction in _tables(profile, directions):
        lines += ["", *textwrap.wrap(_title(table, direction, names), 100), f"  {table.about}"]
        lines += [*_row(heads), *_row(tuple("-" * width for width in WIDTHS))]
        for rule in table.rules:
            lines += _row(_cells(rule, direction, names))
    return lines


def _row(cells: tuple[str, ...]) -> list[str]:
    columns = [textwrap.wrap(text, width) or [""] for text, width in zip(cells, WIDTHS, strict=True)]
    height = max(len(column) for column in columns)
    parts = [[*column, *[""] * (height - len(column))] for column in columns]
    return [
        "  " + "  ".join(text.ljust(width) for text, width in zip(line, WIDTHS, strict=True)).rstrip()
        for line in zip(*parts, strict=True)
    ]


# -- for programs and browsers --------------------------------------------------------------------------------------------


def as_json(profile: str, directions: Mapping[Resource, Direction], names: Names) -> str:
    """The same tables; `direction` is the value that the configuration takes. `profiles` are all there are, each in short."""
    profiles = {
        each: {
            "directions": {one.value: way.value for one, way in rows.items()},
            "preferences": {one.value: side.value for one, side in PREFERENCES[each].items()},
            "extensions": {one.resource.value: way.value for one, way in extensions(each)},
        }
        for each, rows in PROFILES.items()
    }
    tables = [
        {
            "resource": table.resource.value,
            "title": table.title,
            "about": table.about,
            "direction": direction.value,
            "extension": table not in TABLES,
            "fields": [
                {
                    "field": rule.name,
                    "label": rule.label,
                    "chart_side": rule.ehr,
                    "billing_side": rule.billing,
                    "source": rule.source,
                    "one_way": rule.one_way,
                }
                for rule in table.rules
            ],
        }
        for table, direction in _tables(profile, directions)
    ]
    systems = {"chart_side": names.ehr.label, "billing_side": names.billing.label}
    return msgspec.json.encode({"profile": profile, "profiles": profiles, "systems": systems, "tables": tables}).decode()


def as_page(profile: str, directions: Mapping[Resource, Direction], names: Names) -> str:
    """One self-contained document; every text in it is escaped."""
    profiles = "\n".join(f"<p>{escape(one)}</p>" for one in _profiles(names))
    tables = "\n".join(_section(table, direction, names) for table, direction in _tables(profile, directions))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{PAGE_POLICY}">
<meta name="referrer" content="no-referrer">
<title>What is synchronized: {escape(profile)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>What is synchronized</h1>
<p>Profile {escape(profile)}. Fields that are not listed are never touched. Sources are sections of the guide.</p>
{profiles}
{tables}
</body>
</html>
"""


def _section(table: RuleTable, direction: Direction, names: Names) -> str:
    heads = "".join(
        f'<th scope="col">{escape(text)}</th>' for text in ("Field", names.ehr.label, names.billing.label, "Source")
    )
    rows = "\n".join(_table_row(_cells(rule, direction, names)) for rule in table.rules)
    return f"""<h2>{escape(_title(table, direction, names))}</h2>
<p>{escape(table.about)}</p>
<table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>"""


def _table_row(cells: tuple[str, ...]) -> str:
    label, ehr, billing, source = (escape(text) for text in cells)
    return f'<tr><th scope="row">{label}</th><td>{ehr}</td><td>{billing}</td><td class="source">{source}</td></tr>'
