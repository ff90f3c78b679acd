"""Bare Debian roots: made by debootstrap once for each release, unpacked for each test, and used inside namespaces of their own.

What runs in a root ends with the command that began it, and nothing is mounted anywhere else. The network is this machine's: the same
package indexes, and loopback.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

DEBIAN = {"bookworm": "12", "trixie": "13"}
SECONDS = 900
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chartwire" / "roots"
AUTHORITIES = "/etc/authorities-of-the-tests.pem"
OWN_AUTHORITIES = Path("/usr/local/share/ca-certificates")
"""Authorities that this machine trusts beside Debian's: taken up in a root when its package ca-certificates is installed."""

ENTER = """
mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/run"
exec chroot "$0" "$@"
"""


class Failed(Exception):
    """A command in a root; the text has what it said."""


@dataclass(frozen=True)
class Root:
    """One root, at `folder`."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, script: str, *, user: str = "root", check: bool = True, **more: str) -> str:
        """Run a script of bash as `user`; what it says, both channels. Raises Failed."""
        as_user = [] if user == "root" else ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"]
        command = [
            "env",
            "-i",
            *(f"{k}={v}" for k, v in (self.environment | more).items()),
            *as_user,
            "bash",
            "-euc",
            script,
        ]
        done = subprocess.run(
            self.entering(*command), stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
        )
        said = (done.stdout + done.stderr).decode(errors="replace")
        if check and done.returncode != 0:
            raise Failed(f"{done.returncode} by {script}\n{said[-6000:]}")
        return said

    def entering(self, *command: str) -> list[str]:
        """The command that runs `command` inside, in namespaces of mounts and processes that end with it."""
        inside = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "sh", "-euc", ENTER]
        return [*inside, str(self.folder), *command]

    def put(self, file: Path, place: str) -> None:
        """Copy a file or a folder of this machine to `place` in the root."""
        target = self.folder / place.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.is_dir():
            shutil.copytree(file, target, dirs_exist_ok=True)
        else:
            shutil.copy2(file, target)


def _environment() -> dict[str, str]:
    """What commands are given: this machine's settings of pip, with the authorities where they lie in a root."""
    kept = {name: value for name, value in os.environ.items() if name in ("PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT")}
    kept |= {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    return kept | ({"PIP_CERT": AUTHORITIES} if os.environ.get("PIP_CERT") else {})


@cache
def _debootstrap() -> tuple[Path, dict[str, str]] | None:
    """The program and its variables: of this machine, or taken from Debian's package without installing that."""
    if (found := shutil.which("debootstrap")) is not None:
        return Path(found), {}
    folder = CACHE / "debootstrap"
    program = folder / "usr" / "sbin" / "debootstrap"
    if not program.is_file() and shutil.which("apt-get"):
        with tempfile.TemporaryDirectory() as name:
            subprocess.run(
                ["apt-get", "download", "debootstrap"], cwd=name, capture_output=True, timeout=SECONDS, check=False
            )
            folder.parent.mkdir(parents=True, exist_ok=True)
            for package in Path(name).glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", package, folder], check=True, timeout=SECONDS)
    return (program, {"DEBOOTSTRAP_DIR": str(folder / "usr/share/debootstrap")}) if program.is_file() else None


def _archive(release: str) -> Path:
    """A release's root as an archive, made when it is not there yet. Skips where that is impossible."""
    file = CACHE / f"{release}.tar"
    if file.is_file():
        return file
    if os.geteuid() != 0 or (found := _debootstrap()) is None:
        pytest.skip("a root is made by root, with Debian's debootstrap")
    program, variables = found
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        command = [str(program), "--variant=minbase", release, f"{name}/root"]
        environment = {**os.environ, **variables, "PATH": PATH}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode != 0:
            raise Failed(done.stdout[-3000:] + done.stderr[-3000:])
        subprocess.run(["tar", "-C", f"{name}/root", "-cf", f"{name}/new.tar", "."], check=True, timeout=SECONDS)
        os.replace(f"{name}/new.tar", file)
    return file


def bare(release: str, folder: Path) -> Root:
    """A new root of a release in `folder`, which must not be there yet."""
    archive = _archive(release)
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    subprocess.run(["tar", "-C", str(folder), "-xpf", str(archive)], check=True, timeout=SECONDS)
    root = Root(folder, _environment())
    for name in ("resolv.conf", "hosts"):
        root.put(Path("/etc") / name, f"/etc/{name}")
    if OWN_AUTHORITIES.is_dir():
        root.put(OWN_AUTHORITIES, str(OWN_AUTHORITIES))
    if authorities := os.environ.get("PIP_CERT"):
        root.put(Path(authorities), AUTHORITIES)
    root.run("apt-get update -qq")
    return root
