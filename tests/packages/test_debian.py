"""deploy/debian: the package is built in a release, installed in a bare root of it, used, upgraded, removed and purged."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packages.conftest import EPOCH, ROOT, Built
from tests.packages.roots import DEBIAN, Root, bare

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(3600)]
DAEMON = "setpriv --reuid chartwire --regid chartwire --init-groups"


def building(release: str, built: Built, folder: Path) -> Root:
    """A root that can build the package, with what it is built of."""
    root = bare(release, folder)
    root.run("apt-get install -yqq --no-install-recommends python3 python3-venv")
    root.put(ROOT / "deploy", "/source/deploy")
    root.put(ROOT / "CHANGELOG.md", "/source/CHANGELOG.md")
    root.put(built.wheel, f"/source/{built.wheel.name}")
    return root


def package(root: Root, out: str, at: str = EPOCH) -> Path:
    """Build into the folder `out` of the root; where it lies on this machine."""
    said = root.run(
        f"mkdir {out} && SOURCE_DATE_EPOCH={at} /source/deploy/debian/build /source/chartwire-*.whl {out}",
    )
    return root.folder / said.strip().splitlines()[-1].lstrip("/")


@dataclass(frozen=True)
class Release:
    """The package, built twice in one release."""

    name: str
    first: Path
    second: Path


@pytest.fixture(scope="module", params=sorted(DEBIAN))
def release(request: pytest.FixtureRequest, built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    root = building(request.param, built, tmp_path_factory.mktemp("build") / request.param)
    yield Release(request.param, package(root, "/one"), package(root, "/two"))
    subprocess.run(["rm", "-rf", str(root.folder)], check=False)


@pytest.fixture(scope="module")
def root(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """A bare root with the package installed: no systemd, no adduser, nothing but what it asks for."""
    root = bare(release.name, tmp_path_factory.mktemp("bare") / release.name)
    root.put(release.first, "/chartwire.deb")
    assert "command not found" not in root.run(
        "! command -v systemctl && apt-get install -yqq --no-install-recommends /chartwire.deb"
    )
    yield root
    subprocess.run(["rm", "-rf", str(root.folder)], check=False)


def test_two_builds_are_equal_to_the_byte(release: Release) -> None:
    assert release.first != release.second
    assert release.first.read_bytes() == release.second.read_bytes()
    assert release.first.name.endswith(f"+deb{DEBIAN[release.name]}_amd64.deb")


def test_nothing_names_the_place_it_was_built_in(root: Root) -> None:
    named = root.run(
        "grep -rlE '/tmp/tmp[.][[:alnum:]]{10}/' /opt/chartwire /usr/share/doc/chartwire /usr/lib/systemd/system || true"
    )
    assert named == ""
    assert root.run("head -1 /opt/chartwire/bin/chartwire").startswith("#!/opt/chartwire/bin/python3")
    assert root.run("ls /opt/chartwire/bin").split()[0] == "chartwire"


def test_it_lists_what_it_installed(root: Root) -> None:
    script = """
from importlib.metadata import distributions
from pathlib import Path
found = [file for one in distributions(path=['SITE']) for file in one.files]
print(len(found), [str(file) for file in found if not Path(file.locate()).is_file()])
"""
    site = root.run("echo /opt/chartwire/lib/python3.*/site-packages").strip()
    number, _, missing = root.run(f"/opt/chartwire/bin/python3 - <<'END'\n{script.replace('SITE', site)}\nEND").partition(
        " "
    )
    assert int(number) > 1000
    assert missing.strip() == "[]"
    assert root.run("cd / && dpkg --verify chartwire") == ""


def test_it_has_a_user_and_folders_of_its_own(root: Root) -> None:
    assert re.match(r"chartwire:x:\d+:\d+:", root.run("getent passwd chartwire"))
    modes = root.run("stat -c '%a %U:%G %n' /etc/chartwire /etc/chartwire/keys /etc/chartwire/secrets").splitlines()
    assert modes == [
        "750 root:chartwire /etc/chartwire",
        "700 chartwire:chartwire /etc/chartwire/keys",
        "750 root:chartwire /etc/chartwire/secrets",
    ]


def test_completion_and_the_man_page_are_there(root: Root) -> None:
    words = "COMP_WORDS=(chartwire explai); COMP_CWORD=1; COMP_LINE='chartwire explai'; COMP_POINT=16; COMP_TYPE=9"
    script = f". /usr/share/bash-completion/completions/chartwire; {words}; _python_argcomplete chartwire explai chartwire"
    assert root.run(f'set +u; {script}; echo "${{COMPREPLY[@]}}"').split() == ["explain"]
    assert ".TH CHARTWIRE 1" in root.run("gzip -dc /usr/share/man/man1/chartwire.1.gz")


def test_it_plays_the_demo_as_its_own_user(root: Root) -> None:
    said = root.run(f"cd /tmp && {DAEMON} env HOME=/tmp chartwire demo --headless --json --size 3")
    assert json.loads(said.strip().splitlines()[-1])["ok"] is True


def test_the_units_are_sound(root: Root) -> None:
    """By systemd itself, with its own targets, in the root where the program lies."""
    root.run("apt-get install -yqq --no-install-recommends systemd")
    folder = root.folder / "usr/lib/systemd/system"
    units = sorted(str(one.relative_to(root.folder)) for one in folder.glob("chartwire*.service"))
    shipped = {one.name for one in (ROOT / "deploy/systemd").glob("*.service")}
    assert {Path(one).name for one in units} == shipped
    assert not [one for one in units if "LoadCredential=" in (root.folder / one).read_text()]
    for unit in units:
        name = Path(unit).name.replace("@.", "@w1.")
        command = ["systemd-analyze", f"--root={root.folder}", "verify", "--man=no", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert not [line for line in done.stderr.splitlines() if "chartwire" in line], done.stderr


def test_purging_takes_no_key_and_no_data(root: Root) -> None:
    root.run(
        f"echo '[keys]' > /etc/chartwire/chartwire.toml && {DAEMON} chartwire new-key elm --directory /etc/chartwire/keys"
    )
    root.run("echo secret > /etc/chartwire/secrets/kareo-key && dpkg -i /chartwire.deb")
    before = root.run("find /etc/chartwire -type f -exec md5sum {} +")
    said = root.run("dpkg --purge chartwire")
    assert "/etc/chartwire stays" in said
    assert root.run("find /etc/chartwire -type f -exec md5sum {} +") == before
    assert before.count("/etc/chartwire") == 3
    assert root.run("ls -d /opt/chartwire /usr/bin/chartwire 2>/dev/null || true") == ""
    assert "chartwire" in root.run("getent passwd chartwire")
