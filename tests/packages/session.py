"""One long stay in a root: what a script leaves running goes on for the next, and ends with the stay."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from tests.packages.roots import SECONDS, Failed, Root

REAPER = "while :; do sleep 1000 & wait $!; done"
"""The first process of the stay: takes leave of those whose parents are gone."""


class Session:
    """Use as `with`."""

    def __init__(self, root: Root) -> None:
        self.root = root
        self._keeper: subprocess.Popen[bytes] | None = None
        self._first = 0

    def __enter__(self) -> Session:
        self._keeper = subprocess.Popen(self.root.entering("bash", "-c", REAPER), stdin=subprocess.DEVNULL)
        children = Path(f"/proc/{self._keeper.pid}/task/{self._keeper.pid}/children")
        until = time.monotonic() + 30
        while not self._first:
            found = children.read_text().split()
            if found and Path(f"/proc/{found[0]}/root").resolve() == self.root.folder.resolve():
                self._first = int(found[0])
            elif time.monotonic() > until or self._keeper.poll() is not None:
                raise Failed("the root was not entered")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._keeper is not None
        self._keeper.kill()  # unshare has its child killed, and with the first process go all
        self._keeper.wait()

    def run(self, script: str, *, name: str = "script", answers: str = "", check: bool = True) -> str:
        """Run a script of bash; what it says on stdout. What it leaves running keeps neither channel. Raises Failed."""
        out = self.root.folder / "tmp" / "said"
        with out.open("wb") as said, out.with_suffix(".error").open("wb") as wrong:
            inside = ["nsenter", "--target", str(self._first), "--mount", "--pid", "--root"]
            given = [f"{key}={value}" for key, value in self.root.environment.items()]
            done = subprocess.run(
                [*inside, "env", "-i", "--chdir=/", *given, "bash", "-eu", "-o", "pipefail", "-c", script],
                input=answers.encode(), stdout=said, stderr=wrong, timeout=SECONDS, check=False,
            )  # fmt: skip
        text, complaint = out.read_text(errors="replace"), out.with_suffix(".error").read_text(errors="replace")
        if check and done.returncode != 0:
            logs = [
                f"{one.name}: {one.read_text(errors='replace')[-1500:]}"
                for one in (self.root.folder / "var/log/units").glob("*")
            ]
            raise Failed("\n".join([f"{name}: {done.returncode}\n{script}\n{text[-3000:]}\n{complaint[-3000:]}", *logs]))
        return text if check else text + complaint

    def until(self, script: str) -> None:
        """Run a script until it succeeds. Raises Failed."""
        self.run(f"for _ in $(seq 300); do if {script}; then exit 0; fi; sleep 0.5; done; exit 1")

    @staticmethod
    def free(ports: Iterable[int]) -> None:
        """Raises Failed when something on this machine listens at one: the root has the machine's network."""
        for port in ports:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    raise Failed(f"port {port} is taken: the guide's services need it")

    @staticmethod
    def post(url: str, arguments: dict[str, object]) -> None:
        """Ask a sandbox's people to do something."""
        request = urllib.request.Request(url, json.dumps(arguments).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
