"""An archive: one practice's events as stored, with their chain, in one encrypted file that needs nothing else.

    magic, length and header (JSON, in the clear: how the content key is wrapped)
    frames: length, AES-256-GCM of a MessagePack value, the nonce counting frames, the last frame marked in its nonce

The content key is random and wrapped by a passphrase (scrypt) or a key file. Header and position are associated data, so
frames cannot be changed, reordered, dropped or cut off at the end unnoticed. Both directions stream.

No key of the practice travels along: whoever has the archive opens what it holds, and nothing that is stored later. Each body is in
it twice, as it is stored (the chain covers it, and the archive cannot open it), and sealed with a key of the archive's own that
lies in the first frame. An archive of before (version 1) has bodies once, and the practice's keys of then in its first frame.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from events.decoding import decoding, named
from events.wrapping import KEY, NONCE

MAGIC = b"chartwire-archive-2\n"
MAGIC_BEFORE = b"chartwire-archive-1\n"
SCRYPT_COST, SCRYPT_BLOCK, SCRYPT_LANES = 2**17, 8, 1
LARGEST_MEMORY, LARGEST_LANES = 256 * 1024 * 1024, 4
"""What a header may ask for (scrypt takes 128 bytes times cost times block): an archive from elsewhere must not take all memory."""
LARGEST_HEADER = 4 * 1024
LARGEST_FRAME, LARGEST_FRAME_BEFORE = 64 * 1024 * 1024, 256 * 1024 * 1024
FRAME = 8 * 1024 * 1024
"""A writer ends a frame of rows at this size."""
PIECE = 1024 * 1024
LAST = 0x80


class NoArchive(ValueError):
    """A file that is no archive, was changed or cut off, or does not open with this passphrase or key."""


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """Who can open it: whoever has the passphrase, or the 32 bytes of a key file. Exactly one is given."""

    passphrase: str = ""
    key: bytes = b""


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    """`salt` and the costs are for a passphrase; `wrapped` is nonce and content key encrypted."""

    way: str
    wrapped: bytes
    salt: bytes = b""
    cost: int = 0
    block: int = 0
    lanes: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The first frame. `keys` open the archived bodies, by key id: the archive's own; `time_zone` is for telling times."""

    practice: str
    name: str = ""
    time_zone: str = "UTC"
    made: datetime
    keys: dict[str, bytes]


class End(msgspec.Struct, frozen=True, kw_only=True):
    """The last frame: what the practice's head said when the archive was made."""

    sequence: int
    chain: bytes | None


class EventRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A row of `chartwire.event` with all its columns; also a mapping by column, as the database gives it."""

    practice: str
    sequence: int
    event_id: UUID
    type: str
    version: int
    origin: str
    patient_key: str
    elation_chart: int | None
    kareo_patient: int | None
    observed_at: datetime
    modified_at: datetime | None
    recorded_at: datetime
    cause: UUID | None
    correlation: UUID | None
    key_id: str
    body: bytes
    epoch: int
    chain: bytes | None


COLUMNS = EventRow.__struct_fields__


class ArchivedRow(EventRow, frozen=True, kw_only=True, array_like=True):
    """A row with its body sealed anew with the archive's own key, "" where it could not be opened when it was archived."""

    own_key_id: str = ""
    own_body: bytes = b""


_ENCODER = msgspec.msgpack.Encoder()
_ROWS = msgspec.msgpack.Decoder(list[ArchivedRow])

Resealed = Callable[[Mapping[str, Any]], tuple[str, bytes]]


class ArchiveWriter:
    """Writes an archive to an open binary file: rows in batches, then `end`. An archive without its end does not open.

    `resealed` seals a row's body anew with the key of the manifest: (key id, body), or ("", b"") where it cannot be opened.
    """

    def __init__(self, out: BinaryIO, manifest: Manifest, recipient: Recipient, resealed: Resealed) -> None:
        self._out = out
        self._resealed = resealed
        self._content = AESGCM.generate_key(bit_length=8 * KEY)
        self._header = msgspec.json.encode(_wrap(self._content, recipient))
        self._cipher = AESGCM(self._content)
        self._count = 0
        out.write(MAGIC + len(self._header).to_bytes(4, "big") + self._header)
        self._frame(manifest, last=False)

    def rows(self, batch: Sequence[Mapping[str, Any]]) -> None:
        """The next rows of `chartwire.event`, in order."""
        frame: list[bytes] = []
        for one in batch:
            frame.append(_ENCODER.encode(_row(one, *self._resealed(one))))
            if sum(map(len, frame)) >= FRAME:
                self._frame([msgspec.Raw(row) for row in frame], last=False)
                frame = []
        if frame:
            self._frame([msgspec.Raw(row) for row in frame], last=False)

    def end(self, sequence: int, chain: bytes | None) -> None:
        self._frame(End(sequence=sequence, chain=chain), last=True)

    def _frame(self, value: object, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._count, last), _ENCODER.encode(value), self._header)
        self._out.write(bytes([LAST if last else 0]) + len(sealed).to_bytes(4, "big") + sealed)
        self._count += 1


class ArchiveReader:
    """Reads an archive from an open binary file. `manifest` is there at once, `end` after the last of `rows`."""

    def __init__(self, file: BinaryIO, recipient: Recipient) -> None:
        self._file = file
        self._count = 0
        magic = self._read(len(MAGIC))
        if magic not in (MAGIC, MAGIC_BEFORE):
            raise NoArchive("is not an archive of chartwire, or of a newer version")
        self._largest = LARGEST_FRAME if magic == MAGIC else LARGEST_FRAME_BEFORE
        size = int.from_bytes(self._read(4), "big")
        if size > LARGEST_HEADER:
            raise NoArchive("has a damaged header")
        self._header = self._read(size)
        self._cipher = AESGCM(_unwrap(self._header, recipient, magic))
        self.end: End | None = None
        plain, last = self._frame()
        if last:
            raise NoArchive("holds no events")
        self.manifest = _decode(plain, Manifest)

    def stored(self) -> Iterator[list[dict[str, Any]]]:
        """The rows as they lay in the table, as mappings by column, in batches: what the chain covers.

        Raises NoArchive at the first frame that is not as it was written.
        """
        for batch in self._batches():
            yield [{name: getattr(one, name) for name in COLUMNS} for one in batch]

    def rows(self) -> Iterator[list[dict[str, Any]]]:
        """As `stored`, but with the bodies that the keys of the manifest open."""
        for batch in self._batches():
            rows = [{name: getattr(one, name) for name in COLUMNS} for one in batch]
            for row, one in zip(rows, batch, strict=True):
                if one.own_key_id:
                    row |= {"key_id": one.own_key_id, "body": one.own_body}
            yield rows

    def _batches(self) -> Iterator[list[ArchivedRow]]:
        while True:
            plain, last = self._frame()
            if last:
                self.end = _decode(plain, End)
                if self._file.read(1):
                    raise NoArchive("goes on after its end")
                return
            with decoding(named(NoArchive, f"frame {self._count} is not understood by this version")):
                batch = _ROWS.decode(plain)
            yield batch

    def _frame(self) -> tuple[bytes, bool]:
        mark = self._read(1)[0]
        size = int.from_bytes(self._read(4), "big")
        if size > self._largest or mark not in (0, LAST):
            raise NoArchive(f"frame {self._count} was changed")
        last = mark == LAST
        try:
            plain = self._cipher.decrypt(_nonce(self._count, last), self._read(size), self._header)
        except InvalidTag:
            raise NoArchive(f"frame {self._count} was changed, moved or removed") from None
        self._count += 1
        return plain, last

    def _read(self, size: int) -> bytes:
        """In pieces: a file that only claims to be large takes no memory."""
        got = bytearray()
        while len(got) < size:
            piece = self._file.read(min(PIECE, size - len(got)))
            if not piece:
                raise NoArchive("is cut off")
            got += piece
        return bytes(got)


def _decode(plain: bytes, kind: type[Any]) -> Any:
    with decoding(named(NoArchive, "is not understood by this version")):
        return msgspec.msgpack.decode(plain, type=kind)


def _nonce(count: int, last: bool) -> bytes:
    return bytes([LAST if last else 0]) + count.to_bytes(NONCE - 1, "big")


def _row(row: Mapping[str, Any], own_key_id: str, own_body: bytes) -> ArchivedRow:
    values = {name: row[name] for name in COLUMNS}
    for name in ("event_id", "cause", "correlation"):
        if values[name] is not None:
            values[name] = UUID(bytes=values[name].bytes)
    return ArchivedRow(**values, own_key_id=own_key_id, own_body=own_body)


# -- the content key ------------------------------------------------------------------------------------------------------


def _wrap(content: bytes, recipient: Recipient) -> _Header:
    nonce = os.urandom(NONCE)
    if recipient.key:
        return _Header(way="key", wrapped=nonce + AESGCM(recipient.key).encrypt(nonce, content, MAGIC))
    salt = os.urandom(16)
    key = _derived(recipient.passphrase, salt, SCRYPT_COST, SCRYPT_BLOCK, SCRYPT_LANES)
    return _Header(
        way="passphrase",
        wrapped=nonce + AESGCM(key).encrypt(nonce, content, MAGIC),
        salt=salt,
        cost=SCRYPT_COST,
        block=SCRYPT_BLOCK,
        lanes=SCRYPT_LANES,
    )


def _unwrap(encoded: bytes, recipient: Recipient, magic: bytes) -> bytes:
    with decoding(named(NoArchive, "has a damaged header")):
        header = msgspec.json.decode(encoded, type=_Header)
    if header.way != ("key" if recipient.key else "passphrase"):
        raise NoArchive(f"opens with a {'key file' if header.way == 'key' else 'passphrase'}")
    key = recipient.key
    if not key:
        if min(header.cost, header.block, header.lanes) < 1 or header.lanes > LARGEST_LANES:
            raise NoArchive("has a damaged header")
        if 128 * header.cost * header.block > LARGEST_MEMORY:
            raise NoArchive("asks for more memory than an archive of chartwire needs: its header was made by somebody else")
        with decoding(named(NoArchive, "has a damaged header")):
            key = _derived(recipient.passphrase, header.salt, header.cost, header.block, header.lanes)
    try:
        return AESGCM(key).decrypt(header.wrapped[:NONCE], header.wrapped[NONCE:], magic)
    except (InvalidTag, ValueError):
        raise NoArchive(f"does not open with this {'key' if recipient.key else 'passphrase'}") from None


def _derived(passphrase: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    return Scrypt(salt=salt, length=KEY, n=cost, r=block, p=lanes).derive(passphrase.encode())


def recipient_key(text: str) -> bytes:
    """The 32 bytes of a key file (base64, as `chartwire new-key` makes them). Raises ValueError."""
    key = base64.b64decode(text.strip(), validate=True)
    if len(key) != KEY:
        raise ValueError(f"must hold the base64 of {KEY} bytes")
    return key
