"""Pictures of every page, light and dark, 1280 and 390 wide: `python -m tests.browser.screens FOLDER CONFIG`.

CONFIG is the configuration that `chartwire demo --keep` names. A console of its own is served beside the demo's, so that the pages of
second factors and of an identity provider are there, too. The patients in the pictures are the demo's invented ones. What is wrong with
a page is told: that it scrolls sideways, and words of the program's that it speaks.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import groupby
from pathlib import Path

from tests.browser.chromium import NARROW, WIDE, browser, sideways
from tests.browser.pages import PAGES, everything, sign_in
from tests.browser.speech import program_words


async def pictures(folder: Path, config: Path) -> list[str]:
    """Takes them; returns what is wrong with the pages."""
    wrong: list[str] = []
    async with everything(config) as site, browser() as opened:
        for role, pages in groupby(PAGES.values(), lambda one: one.role):
            context = await opened.new_context()
            visitor = await context.new_page()
            if role:
                await sign_in(visitor, site.url, role)
            for one in pages:
                try:
                    await one.go(visitor, site.url)
                except LookupError as nothing:
                    print(f"{one.name}: {nothing}", file=sys.stderr)
                    continue
                wrong += [f"{one.name} says {word} ({text})" for word, text in await program_words(visitor)]
                for width in (WIDE, NARROW):
                    await visitor.set_viewport_size({"width": width, "height": 900})
                    for scheme in ("light", "dark"):
                        await visitor.emulate_media(color_scheme=scheme)
                        name = f"{one.name}-{width}-{scheme}"
                        if await sideways(visitor) > 0:
                            wrong.append(f"{name} scrolls sideways")
                        await visitor.screenshot(path=str(folder / f"{name}.png"), full_page=True)
            await context.close()
    return wrong


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for said in asyncio.run(pictures(target, Path(sys.argv[2]))):
        print(said, file=sys.stderr)
