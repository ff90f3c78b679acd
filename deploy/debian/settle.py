"""Moves a virtual environment that was built beside its place: `settle.py BUILT PLACE`.

What names the place where it was built names the place where it will lie. Programs of other packages are taken away, and the lists of
installed files say what is there afterwards.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import sys
from pathlib import Path

KEPT = "chartwire"


def settle(built: Path, place: str) -> None:
    for program in (built / "bin").iterdir():
        if program.name == KEPT:
            program.write_text(program.read_text().replace(str(built), place))
        elif not program.name.startswith("python"):
            program.unlink()
    settings = built / "pyvenv.cfg"
    lines = settings.read_text().replace(str(built), place).replace(" --without-pip", "").splitlines()
    settings.write_text("".join(f"{line}\n" for line in lines))
    for listed in sorted(built.glob("lib/python*/site-packages/*.dist-info/RECORD")):
        (listed.parent / "direct_url.json").unlink(missing_ok=True)  # names the wheel's own place
        relist(listed)


def relist(listed: Path) -> None:
    """Write the list of a distribution's files anew: those that are there, by what is in them."""
    folder = listed.parent.parent
    with listed.open(newline="") as stream:
        names = sorted({row[0] for row in csv.reader(stream) if row})
    with listed.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        for name in names:
            file = folder / name
            if file == listed:
                writer.writerow([name, "", ""])
            elif file.is_file() and "__pycache__" not in file.parts:
                content = file.read_bytes()
                digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
                writer.writerow([name, f"sha256={digest}", len(content)])


if __name__ == "__main__":
    settle(Path(sys.argv[1]), sys.argv[2])
