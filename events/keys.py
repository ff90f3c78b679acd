"""The keys that bodies are sealed with, in memory: key files of a folder, and the data keys that they have wrapped.

A practice has key files `<practice>.<n>.key`. In the beginning bodies are sealed with the newest file itself (key id
`<practice>.<n>`). Once the practice has data keys in the database (`chartwire migrate --finish`), they alone seal and open:
`<practice>.d<n>` for new bodies, `<practice>.<n>` for those from before, which are wrapped like the others. The files then only
unwrap, and one that has wrapped nothing any more is of no use: that is what a rotation and a shredding rest on.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from events.files import create_private, sync_folder
from events.ids import PracticeId
from events.wrapping import KEY, NONCE, KeysInForce, NotUnwrapped, Purpose, unwrap

_NUMBER = re.compile(r"[0-9]+")
_PRACTICE = re.compile(r"\w[\w.-]*")


class UnreadableEvent(Exception):
    """An event that this version cannot read; the message names type, version and why, never content."""


class KeyMissing(Exception):
    """No key for a practice; the message says which file is looked for, or that the practice was shredded."""

    def __init__(self, message: str, practice: str = "") -> None:
        super().__init__(message)
        self.practice = practice


class NoPractice(ValueError):
    """A name that no practice can have: a key file of that name would lie elsewhere, or belong to nobody."""


class Keyring:
    """Seals and opens bodies. What is wrong with one practice's keys raises KeyMissing for that practice only."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._files: dict[str, dict[str, bytes]] = {}
        self._in_force: dict[str, KeysInForce] = {}
        self._ciphers: dict[str, AESGCM] = {}
        self._ids: dict[str, tuple[str, ...]] = {}
        self._newest: dict[str, str] = {}
        self._hash_keys: dict[str, bytes] = {}
        self._problems: dict[str, str] = {}
        self._folder: Path | None = None
        self.source: Callable[[str], Awaitable[Any]] | None = None
        """Reads the data keys of a practice again (`events.store.Store` sets it)."""
        self._add(keys)

    # -- key files --------------------------------------------------------------------------------------------------------

    @classmethod
    def from_directory(cls, path: Path) -> Keyring:
        """Read every key file of a folder. Raises ValueError naming the file that holds no key."""
        ring = cls({file.stem: _key_in(file) for file in sorted(path.glob("*.key"))})
        ring._folder = path
        return ring

    @staticmethod
    def create_key(path: Path, practice: PracticeId) -> Path:
        """Make the practice's next key in the folder `path`, readable by its owner only; returns the file. Raises NoPractice."""
        if not _PRACTICE.fullmatch(practice):
            raise NoPractice("a practice's id consists of letters, digits, dots, - and _")
        there = key_files(path, practice)
        file = path / f"{practice}.{_number(there[-1].stem) + 1 if there else 1}.key"
        with os.fdopen(create_private(file), "w") as out:
            out.write(base64.b64encode(AESGCM.generate_key(bit_length=8 * KEY)).decode() + "\n")
            out.flush()
            os.fsync(out.fileno())
        sync_folder(path)
        return file

    def _add(self, keys: Mapping[str, bytes]) -> None:
        for name, key in keys.items():
            self._files.setdefault(name.rpartition(".")[0], {})[name] = key
        for practice in {name.rpartition(".")[0] for name in keys}:
            self._arrange(practice)

    def renew(self, later: Keyring) -> None:
        """Take the key files of `later` in. One that is missing there stays while it is of use: it wraps, or what it encrypted
        may still be under way."""
        for practice, keys in self._in_force.items():
            used = {one.wrapped_by for one in keys.wrapped}
            self._files[practice] = {name: key for name, key in self._files.get(practice, {}).items() if name in used}
            self._arrange(practice)
        self._add({name: key for keys in later._files.values() for name, key in keys.items()})

    def files_of(self, practice: str) -> dict[str, bytes]:
        """The practice's key files by name without `.key`, the newest last."""
        return dict(sorted(self._files.get(practice, {}).items(), key=lambda one: _number(one[0])))

    def is_file_key(self, key: bytes) -> bool:
        """Whether any practice has a key file that holds `key`."""
        return any(key == one for files in self._files.values() for one in files.values())

    # -- data keys --------------------------------------------------------------------------------------------------------

    def take(self, keys: KeysInForce) -> None:
        """Go by these data keys of a practice from now on; what is older than those known is not taken."""
        known = self._in_force.get(keys.practice)
        if known is None or known.changes < keys.changes:
            self._in_force[keys.practice] = keys
            self._arrange(keys.practice)

    def in_force(self, practice: str) -> KeysInForce | None:
        """The practice's data keys as they lie in the database; None where it has none."""
        return self._in_force.get(practice)

    def changes(self, practice: str) -> int:
        """How often the practice's data keys had changed when they were read; 0 where it has none."""
        known = self._in_force.get(practice)
        return 0 if known is None else known.changes

    def shredded(self, practice: str) -> bool:
        """Whether the practice's keys were destroyed on purpose."""
        known = self._in_force.get(practice)
        return known is not None and known.shredded_at is not None

    def hash_key(self, practice: str) -> bytes | None:
        """What the practice's hashes are keyed with (events/keyed.py); None before it has data keys. A rotation never changes it."""
        return self._hash_keys.get(practice)

    async def refresh(self, practices: Iterable[str]) -> None:
        """Read the data keys of these practices again. Raises what PostgreSQL raises when it is away."""
        if self.source is not None:
            for practice in practices:
                await self.source(practice)

    def keys_of(self, practice: str) -> dict[str, bytes]:
        """The practice's key files by key id."""
        return dict(self._files.get(practice, {}))

    def has(self, practice: str) -> bool:
        """Whether the practice's bodies can be sealed."""
        return practice in self._newest

    def demand(self, practice: str) -> str:
        """The id of the key that seals the practice's bodies. Raises KeyMissing where they cannot be sealed, with the reason."""
        name = self._newest.get(practice)
        if name is None:
            said = self._problems.get(practice, f"no key for practice {practice}: expected a file {practice}.1.key")
            raise KeyMissing(said, practice)
        return name

    def _arrange(self, practice: str) -> None:
        """Make what seals and opens for `practice` follow from its key files and its data keys."""
        for name in self._ids.pop(practice, ()):
            del self._ciphers[name]
        for found in (self._newest, self._hash_keys, self._problems):
            found.pop(practice, None)
        in_force, files = self._in_force.get(practice), self.files_of(practice)
        bodies = files
        if in_force is not None:
            files = self._with_later_files(in_force)
            try:
                bodies, self._hash_keys[practice] = _unwrapped(in_force, files)
            except KeyMissing as error:
                self._problems[practice] = str(error)
                return
        self._ciphers |= {name: AESGCM(key) for name, key in bodies.items()}
        self._ids[practice] = tuple(bodies)
        if bodies:
            self._newest[practice] = list(bodies)[-1]

    def _with_later_files(self, keys: KeysInForce) -> dict[str, bytes]:
        """The practice's key files, with those that came into the folder since it was read."""
        files = self._files.setdefault(keys.practice, {})
        for name in {one.wrapped_by for one in keys.wrapped} - set(files):
            with suppress(OSError, ValueError):
                if self._folder is not None:
                    files[name] = _key_in(self._folder / f"{name}.key")
        return files

    # -- bodies -----------------------------------------------------------------------------------------------------------

    def takes_unsigned(self, practice: str) -> bool:
        """Whether a message that nobody signed may be the practice's: before `chartwire migrate --finish` older workers publish."""
        return self.in_force(practice) is None

    def seal(self, practice: PracticeId, identity: bytes, plain: bytes) -> tuple[str, bytes]:
        """Encrypt with the practice's newest key, bound to `identity`: (key id, nonce and ciphertext)."""
        name = self.demand(practice)
        nonce = os.urandom(NONCE)
        return name, nonce + self._ciphers[name].encrypt(nonce, plain, identity)

    def open_sealed(self, key_id: str, identity: bytes, sealed: bytes) -> bytes:
        """Decrypt. Raises KeyMissing, or UnreadableEvent when content or identity was changed."""
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise self._missing(key_id)
        try:
            return cipher.decrypt(sealed[:NONCE], sealed[NONCE:], identity)
        except (InvalidTag, ValueError):  # ValueError: shorter than a nonce
            raise UnreadableEvent("content or identity was changed after encryption") from None

    def sign(self, practice: PracticeId, said: bytes) -> tuple[str, bytes]:
        """Sign with the practice's newest key file, which no database is needed for: (its name, the signature). Raises KeyMissing."""
        files = self.files_of(practice)
        if not files:
            raise KeyMissing(f"no key for practice {practice}: expected a file {practice}.1.key", practice)
        name, key = list(files.items())[-1]
        return name, _signature(key, said)

    def is_signed(self, name: str, said: bytes, signature: bytes) -> bool:
        """Whether the key file `name` has signed it; False where that file is not there."""
        practice = name.rpartition(".")[0]
        key = self._files.get(practice, {}).get(name)
        if key is None and self._folder is not None and name in {one.stem for one in key_files(self._folder, practice)}:
            with suppress(OSError, ValueError):
                key = _key_in(self._folder / f"{name}.key")
        return key is not None and hmac.compare_digest(_signature(key, said), signature)

    def knows(self, key_id: str) -> bool:
        """Whether a body that was sealed with this key can be opened."""
        return key_id in self._ciphers

    def _missing(self, key_id: str) -> KeyMissing:
        practice, _, number = key_id.rpartition(".")
        if practice in self._problems:
            return KeyMissing(self._problems[practice], practice)
        if practice in self._in_force or not _NUMBER.fullmatch(number):
            return KeyMissing(f"no key {key_id}: it is not among the data keys of {practice}", practice)
        return KeyMissing(f"no key {key_id}: expected a file {key_id}.key", practice)


def key_files(folder: Path, practice: str) -> list[Path]:
    """The practice's key files in a folder, whatever they hold, the newest last."""
    parts = [(file, *file.stem.rpartition(".")) for file in folder.glob("*.key")]
    mine = [(int(number), file) for file, owner, _, number in parts if owner == practice and _NUMBER.fullmatch(number)]
    return [file for _, file in sorted(mine)]


def _key_in(file: Path) -> bytes:
    """Raises ValueError naming the file."""
    try:
        key = base64.b64decode(file.read_text().strip(), validate=True)
    except (ValueError, UnicodeDecodeError):
        key = b""
    practice, _, number = file.stem.rpartition(".")
    if len(key) != KEY or not practice or not _NUMBER.fullmatch(number):
        raise ValueError(f"{file.name}: must be <practice>.<n>.key and hold the base64 of {KEY} bytes")
    return key


def _signature(key: bytes, said: bytes) -> bytes:
    """With a key derived for signing alone: what a key file wraps is no signature, and the other way round."""
    return hmac.digest(hmac.digest(key, b"chartwire signature", "sha256"), said, "sha256")


def _number(name: str) -> int:
    return int(name.rpartition(".")[2])


def _unwrapped(keys: KeysInForce, files: Mapping[str, bytes]) -> tuple[dict[str, bytes], bytes]:
    """(the keys of bodies by id, the newest last; the key of hashes). Raises KeyMissing."""
    practice = keys.practice
    if keys.shredded_at is not None:
        raise KeyMissing(
            f"practice {practice} was shredded on {keys.shredded_at:%Y-%m-%d}: nothing opens its bodies", practice
        )
    bodies: dict[str, bytes] = {}
    hash_key = b""
    for one in keys.wrapped:
        if one.wrapped_by not in files:
            raise KeyMissing(f"no key for practice {practice}: expected the file {one.wrapped_by}.key", practice)
        try:
            key = unwrap(practice, one, files[one.wrapped_by])
        except NotUnwrapped:
            wrong = f"{one.wrapped_by}.key is not the file that has wrapped the data key {one.key_id}"
            raise KeyMissing(f"no key for practice {practice}: {wrong}", practice) from None
        if one.purpose is Purpose.HASH:
            hash_key = key
        else:
            bodies[one.key_id] = key
    newest = [name for name in bodies if not _NUMBER.fullmatch(name.rpartition(".")[2])]
    if not newest or not hash_key:
        raise KeyMissing(f"no key for practice {practice}: its data keys are not complete", practice)
    return {name: bodies[name] for name in sorted(bodies, key=lambda one: (one in newest, _age(one)))}, hash_key


def _age(name: str) -> int:
    return int(name.rpartition(".")[2].lstrip("d"))
