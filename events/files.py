"""Making files that hold secrets: new ones only, for their owner only, and never through a link that somebody laid."""

from __future__ import annotations

import os
from pathlib import Path


def create_private(path: Path) -> int:
    """A descriptor to write a new file by. Raises FileExistsError where anything of that name is, a dangling link included."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def destroy(path: Path) -> bool:
    """Overwrite a file and remove it; False where this process may not. One that is not there is destroyed.

    Overwriting reaches what the file system keeps in its place, not snapshots, journals or spare blocks of the disk.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.write(descriptor, bytes(os.fstat(descriptor).st_size))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        path.unlink()
        sync_folder(path.parent)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def sync_folder(folder: Path) -> None:
    """Have a folder's entries, as they are now, survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
