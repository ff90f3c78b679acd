"""What documents say of the command line is what the command line takes: each command named anywhere is parsed as it is read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.cli.commands import ABOUT, parser_of

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    file
    for pattern in ("*.md", "deploy/**/*.md", "events/**/*.md", "deploy/**/*.yml", "deploy/**/*.toml", "deploy/**/*.service")
    for file in ROOT.glob(pattern)
)
BLOCK = re.compile(r"^( *)```\w*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(?:\.venv/bin/)?chartwire\s+([^`]+)`")
IN_BLOCK = re.compile(r"(?:^|\s|bin/)chartwire ((?:--)?[a-z][^\n|;&>]*)", re.MULTILINE)
IN_SETTING = re.compile(r"^ExecStart=\S*/chartwire (.+)$", re.MULTILINE)
IN_ACTION = re.compile(r"\bchartwire ([a-z][a-z-]*)")
SAID = re.compile(r"\d\d:\d\d:\d\d  #\d+")
"""A line that a command said."""
LOOSE = ("CHANGELOG.md", "deploy/THREATS.md")
"""Pages that name a command without all that it has to be given."""
STANDS_FOR = {"MESSAGES": "1", "SECONDS": "1", "ITEMS": "1", "S": "1", "N": "1", "CHART": "elation:1", "...": "1"}


def named(page: Path) -> Iterator[str]:
    """The commands that a page names, without `chartwire`."""
    text = page.read_text()
    if page.suffix != ".md":
        yield from IN_SETTING.findall(text)
        yield from (one for line in re.findall(r"^ +action: .*$", text, re.MULTILINE) for one in IN_ACTION.findall(line))
        yield from INLINE.findall(text)
        return
    for _, block in BLOCK.findall(text):
        if "python3 -m venv" not in block:
            lines = "".join(line for line in block.splitlines(keepends=True) if not SAID.match(line))
            typed = re.sub(r"<<'END'\n.*?^END$|\"[^\"]*\"|\\\\\n", "", lines, flags=re.MULTILINE | re.DOTALL)
            yield from IN_BLOCK.findall(typed)
    yield from INLINE.findall(BLOCK.sub("", text))


def readings(command: str) -> set[tuple[str, ...]]:
    """What a person would type for it: with all that stands in brackets, and without."""
    plain = " ".join(command.split())
    found = set()
    for one in (re.sub(r"\[([^]]*?)(?: \.\.\.)?\]", r"\1", plain), re.sub(r"\[[^]]*\]", "", plain)):
        found.add(tuple(STANDS_FOR.get(word, word) for word in shlex.split(one)))
    return found


COMMANDS = sorted({(str(page.relative_to(ROOT)), one.strip()) for page in PAGES for one in named(page)})


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_a_command_that_a_document_names_is_taken(page: str, command: str) -> None:
    for words in readings(command):
        if len(words) == 1 and not words[0].startswith("-"):
            assert words[0] in ABOUT
        elif words == ("--version",):
            assert "--version" in parser_of([]).format_help()
        elif command.endswith(" ...") or page in LOOSE:
            assert words[0] in ABOUT
        else:
            assert parser_of(words).parse_args(words).command == words[0]


def test_they_are_found_in_every_kind_of_place() -> None:
    named_ = {command for _, command in COMMANDS}
    assert len(named_) > 60
    assert {page.partition("/")[0] for page, _ in COMMANDS} >= {"README.md", "CHANGELOG.md", "deploy"}
    assert any("chartwire.service" in page for page, _ in COMMANDS)
    assert any(page.endswith(".rules.yml") for page, _ in COMMANDS)
    assert "new-key elm-street" in named_


def test_a_wrong_command_would_be_seen() -> None:
    for command in ("histori PRACTICE", "status --fail-lagg S", "explain PRACTICE", "user rolle NAME a b"):
        (words,) = readings(command)
        with pytest.raises(SystemExit):
            parser_of(words).parse_args(words)


# -- README ---------------------------------------------------------------------------------------------------------------

README = (ROOT / "README.md").read_text()


def test_the_readme_is_short_and_shows_before_it_tells() -> None:
    assert len(README.splitlines()) <= 200
    headings = re.findall(r"^## (.+)$", README, re.MULTILINE)
    assert headings[:3] == ["See it", "Test it", "Run it"]


def test_the_readme_has_two_commands_that_set_up_and_no_third() -> None:
    found = re.findall(r"^<!-- (\w+) -->\n```\n(.+)\n```\n<!-- end -->$", README, re.MULTILINE)
    assert [name for name, _ in found] == ["demo", "tests"]
    assert README.count("-m venv") == 2


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.suffix == ".md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_files_that_a_page_links_or_names_are_there(page: Path) -> None:
    """Links to files and anchors of the page itself, and files of deploy/ and tests/ by name."""
    text = page.read_text()
    anchors = {
        re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-")
        for head in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert link[1:] in anchors if link.startswith("#") else (page.parent / link).is_file(), link
    for name in re.findall(r"`((?:deploy|tests)/[\w./-]+)`", BLOCK.sub("", text)):
        assert (ROOT / name).exists(), name
