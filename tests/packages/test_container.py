"""deploy/container/Containerfile: its steps, in their order, in a bare root; then used as its user, and asked for its health."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.packages.conftest import ROOT, Built
from tests.packages.roots import Root, bare

FILE = ROOT / "deploy" / "container" / "Containerfile"
BASES = {"debian:12-slim": "bookworm"}
KNOWN = {"FROM", "RUN", "COPY", "ENV", "USER", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


def steps() -> list[tuple[str, str]]:
    """The instructions of the file, lines joined."""
    text = re.sub(r"\\\n", " ", FILE.read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines)]


@dataclass
class Image:
    """What the instructions made: a root, and how a container of it starts."""

    root: Root
    environment: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    @property
    def user(self) -> str:
        return self.said["USER"].split(":")[0]

    def run(self, script: str, **more: str) -> str:
        return self.root.run(script, user=self.user, **(self.environment | more))


def made(folder: Path, context: Path) -> Image:
    """The image. Raises Failed where a step fails."""
    found = steps()
    image = Image(bare(BASES[found[0][1]], folder))
    for name, rest in found[1:]:
        if name == "RUN":
            image.root.run(rest.replace("bash", "sh"), **image.environment)
        elif name == "COPY":
            *patterns, target = rest.split()
            for file in (one for pattern in patterns for one in context.glob(pattern)):
                image.root.put(file, f"{target}{file.name}")
        elif name == "ENV":
            key, _, value = rest.partition("=")
            image.environment[key] = value
        else:
            image.said[name] = rest
    return image


@pytest.fixture(scope="module")
def image(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    context = tmp_path_factory.mktemp("context")
    shutil.copy(built.wheel, context)
    shutil.copy(ROOT / "deploy" / "requirements.lock", context)
    folder = tmp_path_factory.mktemp("image") / "root"
    yield made(folder, context)
    subprocess.run(["rm", "-rf", str(folder)], check=False)


def test_every_instruction_is_one_that_the_tests_carry_out() -> None:
    assert {name for name, _ in steps()} == KNOWN
    assert steps()[0] == ("FROM", "debian:12-slim")
    assert len([name for name, _ in steps() if name == "RUN"]) == 3


def test_it_runs_as_nobody_in_particular() -> None:
    said = dict(steps())
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", said["USER"])
    assert [name for name, _ in steps()].index("USER") > max(n for n, (name, _) in enumerate(steps()) if name == "RUN")
    assert (said["ENTRYPOINT"], said["CMD"]) == ('["chartwire"]', '["run"]')
    assert not re.search(r"secret|password|EXPOSE", FILE.read_text().partition("FROM")[2], re.IGNORECASE)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_the_image_plays_the_demo_and_tells_its_health(image: Image) -> None:
    (entry,) = json.loads(image.said["ENTRYPOINT"])
    assert image.run(f"{entry} --version").startswith("chartwire ")
    assert json.loads(image.run(f"{entry} demo --headless --json --size 3", HOME="/tmp").splitlines()[-1])["ok"] is True
    assert image.run("ls /tmp/chartwire /opt/chartwire/bin/pip 2>/dev/null || true") == ""
    check = shlex.quote(image.said["HEALTHCHECK"].partition("CMD ")[2])
    script = f"""
        cd /tmp; {entry} demo --keep --size 3 > said & worker=$!
        until grep -q 'everything keeps running' said; do kill -0 $worker; sleep 0.2; done
        file=$(sed -n 's/^configuration: //p' said)
        address=$(sed -n 's/^public_url = "\\(.*\\)"$/\\1/p' "$file" | head -1)
        CHARTWIRE_LIVE=$address/health/live sh -c {check} && echo healthy
        kill $worker; wait $worker || true
        CHARTWIRE_LIVE=$address/health/live sh -c {check} || echo gone
    """
    assert [line for line in image.run(script, HOME="/tmp").splitlines() if line in ("healthy", "gone")] == [
        "healthy",
        "gone",
    ]
