"""`chartwire history --html` in a browser: nothing scrolls sideways on a telephone, and axe finds nothing serious."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.cli.history_page import page
from projections.terms.names import Names
from projections.words.known import folded, known, provider_names
from projections.words.lines import entries
from projections.words.shown import EVERYTHING
from tests.browser.chromium import WIDE, browser, serious, sideways
from tests.unit.test_cli_history import ZONE, kept, morning

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("width", [WIDE, 420])
async def test_the_page_fits(width: int, tmp_path: Path) -> None:
    story, clinic = morning()
    state = known(folded(story), clinic.state.directory, clinic.policy, EVERYTHING)
    records, providers = kept(story, clinic, EVERYTHING), provider_names(clinic.state.directory, Names())
    told = entries(story, clinic.policy, EVERYTHING)
    file = tmp_path / "history.html"
    file.write_text(
        page("Byron, Ada, Elm Family Practice", told, state, ZONE, names=Names(), records=records, providers=providers)
    )
    async with browser() as opened:
        visitor = await opened.new_page(viewport={"width": width, "height": 900})
        await visitor.goto(file.as_uri())
        assert await sideways(visitor) == 0
        assert await serious(visitor) == []
        assert "XYZ123" in await visitor.inner_text("body")
        await visitor.screenshot(path=str(tmp_path / "history.png"), full_page=True)
