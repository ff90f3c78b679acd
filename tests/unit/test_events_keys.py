"""Key files, the data keys that they wrap, and what is hashed with one: whatever is missing or changed is said, of one practice only."""

from __future__ import annotations

import base64
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.__main__ import main
from daemon.vendors.ports.intake import fingerprint
from events.files import create_private, destroy
from events.ids import EhrChartId, EventId, PracticeId, event_id
from events.keyed import Identified, hashed, is_keyed, keyed_event, keyed_hash, keyed_id
from events.keys import KeyMissing, Keyring, NoPractice
from events.records import EhrChart
from events.schema import EhrChartObserved, Event, Origin
from events.topics import Change, Note, decode_message, encode_message
from events.wrapping import KeysInForce, NotUnwrapped, Purpose, Wrapped, unwrap, wrap
from events.writes import System

ELM, OAK = PracticeId("elm"), PracticeId("oak")
FILES = {"elm.1": b"1" * 32, "elm.2": b"2" * 32, "oak.1": b"3" * 32}
BODY, HASH = b"d" * 32, b"h" * 32
KEYS = st.binary(min_size=32, max_size=32)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def in_force(by: str = "elm.2", changes: int = 1, files: dict[str, bytes] = FILES, **more: bytes) -> KeysInForce:
    """Elm's data keys wrapped by a file: those of its old files, one for new bodies, one for hashes."""
    keys = {"elm.1": FILES["elm.1"], "elm.2": FILES["elm.2"], "elm.d1": BODY, **{f"elm.{n}": k for n, k in more.items()}}
    wrapped = [wrap(ELM, name, Purpose.BODY, key, by=by, file_key=files[by]) for name, key in keys.items()]
    wrapped.append(wrap(ELM, "elm.h", Purpose.HASH, HASH, by=by, file_key=files[by]))
    return KeysInForce(practice=ELM, changes=changes, wrapped=tuple(wrapped))


def ring(keys: KeysInForce | None, files: dict[str, bytes] = FILES) -> Keyring:
    made = Keyring(files)
    if keys is not None:
        made.take(keys)
    return made


def observed(city: str = "Macon", practice: PracticeId = ELM) -> Event:
    chart = EhrChart(id=EhrChartId(11), first_name="Ada", birth_date=date(1970, 5, 4), city=city)
    body = EhrChartObserved(chart=chart)
    id_ = event_id(practice, "ElationChartObserved", "patients", "11", "None/0", fingerprint(body))
    return Event(id=id_, practice=practice, origin=Origin.EHR, observed=NOON, body=body, ehr=EhrChartId(11))


# -- wrapping -------------------------------------------------------------------------------------------------------------


@given(key=KEYS, file_key=KEYS, other=KEYS)
def test_a_data_key_comes_back_with_its_file_and_no_other(key: bytes, file_key: bytes, other: bytes) -> None:
    one = wrap(ELM, "elm.d1", Purpose.BODY, key, by="elm.1", file_key=file_key)
    assert unwrap(ELM, one, file_key) == key
    assert key not in one.wrapped
    if other != file_key:
        with pytest.raises(NotUnwrapped):
            unwrap(ELM, one, other)


@given(place=st.integers(0, 59), bit=st.integers(0, 7))
def test_a_wrapped_key_that_was_changed_or_moved_does_not_open(place: int, bit: int) -> None:
    one = wrap(ELM, "elm.d1", Purpose.BODY, BODY, by="elm.1", file_key=FILES["elm.1"])
    changed = one.wrapped[:place] + bytes([one.wrapped[place] ^ 1 << bit]) + one.wrapped[place + 1 :]
    for practice, wrong in (
        ("elm", replace(one, wrapped=changed)),
        ("elm", replace(one, wrapped=one.wrapped[:place])),
        ("elm", replace(one, key_id="elm.d2")),
        ("elm", replace(one, purpose=Purpose.HASH)),
        ("oak", one),
    ):
        with pytest.raises(NotUnwrapped):
            unwrap(practice, wrong, FILES["elm.1"])


# -- the ring -------------------------------------------------------------------------------------------------------------


@given(plain=st.binary(max_size=50), identity=st.binary(max_size=20))
def test_bodies_from_before_and_after_data_keys_open(plain: bytes, identity: bytes) -> None:
    before, after = ring(None), ring(in_force())
    old, new = before.seal(ELM, identity, plain), after.seal(ELM, identity, plain)
    assert (old[0], new[0]) == ("elm.2", "elm.d1")
    for key_id, sealed in (old, new):
        assert after.open_sealed(key_id, identity, sealed) == plain
    with pytest.raises(KeyMissing):
        before.open_sealed(new[0], identity, new[1])


def test_b6_a_rotated_key_retires() -> None:
    """The old file opens no new body, neither by itself nor with the wrapped keys of now."""
    files = {**FILES, "elm.3": b"4" * 32}
    rotated = ring(in_force("elm.3", 2, files, d2=b"e" * 32), files)
    key_id, sealed = rotated.seal(ELM, b"", b"body")
    assert key_id == "elm.d2"
    for old in ({"elm.2": FILES["elm.2"]}, {"elm.1": FILES["elm.1"], "elm.2": FILES["elm.2"]}):
        for keys in (None, in_force("elm.3", 2, files, d2=b"e" * 32)):
            with pytest.raises(KeyMissing):
                ring(keys, old).open_sealed(key_id, b"", sealed)
    assert ring(rotated.in_force(ELM), {"elm.3": files["elm.3"]}).open_sealed(key_id, b"", sealed) == b"body"


def test_after_data_keys_a_file_opens_only_what_is_wrapped() -> None:
    """The file of a key that was not taken over seals and opens nothing, though it lies in the folder."""
    key_id, sealed = Keyring({"elm.9": b"9" * 32}).seal(ELM, b"", b"body")
    with pytest.raises(KeyMissing, match=r"no key elm\.9: it is not among the data keys of elm"):
        ring(in_force(), {**FILES, "elm.9": b"9" * 32}).open_sealed(key_id, b"", sealed)


@pytest.mark.parametrize(
    ("keys", "files", "said"),
    [
        (in_force(), {"elm.1": FILES["elm.1"]}, r"expected the file elm\.2\.key"),
        (in_force(), {**FILES, "elm.2": b"x" * 32}, r"elm\.2\.key is not the file that has wrapped the data key elm\.1"),
        (KeysInForce(practice=ELM, changes=1), FILES, "its data keys are not complete"),
        (replace(in_force(), shredded_at=NOON), FILES, "was shredded on 2026-03-02"),
    ],
    ids=["no file", "another file", "no keys", "shredded"],
)
def test_what_is_wrong_with_one_practice_stays_with_it(keys: KeysInForce, files: dict[str, bytes], said: str) -> None:
    one = ring(keys, {**files, "oak.1": FILES["oak.1"]})
    with pytest.raises(KeyMissing, match=said) as raised:
        one.seal(ELM, b"", b"body")
    assert raised.value.practice == ELM
    with pytest.raises(KeyMissing, match=said):
        one.open_sealed("elm.d1", b"", b"\0" * 40)
    assert (one.has(ELM), one.has(OAK), one.shredded(ELM)) == (False, True, keys.shredded_at is not None)
    key_id, sealed = one.seal(OAK, b"", b"body")
    assert one.open_sealed(key_id, b"", sealed) == b"body"


def test_keys_read_later_count_and_older_ones_do_not() -> None:
    one = ring(in_force(changes=3, d2=b"e" * 32))
    one.take(in_force(changes=2))
    assert (one.changes(ELM), one.seal(ELM, b"", b"")[0]) == (3, "elm.d2")
    one.take(replace(in_force(changes=4), shredded_at=NOON))
    assert one.shredded(ELM)


def test_a_file_that_comes_after_the_start_is_found(tmp_path: Path) -> None:
    """A worker that runs reads the rotated keys again; the new file has been copied into its folder meanwhile."""
    for name in ("elm.1", "elm.2"):
        (tmp_path / f"{name}.key").write_text(base64.b64encode(FILES[name]).decode())
    one = Keyring.from_directory(tmp_path)
    one.take(in_force())
    (tmp_path / "elm.3.key").write_text(base64.b64encode(b"4" * 32).decode())
    one.take(in_force("elm.3", 2, {"elm.3": b"4" * 32}, d2=b"e" * 32))
    assert one.seal(ELM, b"", b"")[0] == "elm.d2"


def test_a_file_that_wraps_stays_when_the_folder_is_read_again_without_it() -> None:
    one = ring(in_force())
    one.renew(Keyring({"oak.1": FILES["oak.1"]}))
    assert one.seal(ELM, b"", b"")[0] == "elm.d1"
    assert list(one.files_of(ELM)) == ["elm.2"], "what wraps nothing is forgotten"


# -- files ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/b", "..", ".", "", ".x", "x\0", "x\n"])
def test_b6_new_key_does_not_leave_its_folder(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "keys"
    assert main(["new-key", name, "--directory", str(folder)]) == 2
    assert "a practice's id consists of" in capsys.readouterr().err
    assert [*folder.iterdir(), *(one for one in tmp_path.iterdir() if one != folder)] == []
    with pytest.raises(NoPractice):
        Keyring.create_key(folder, PracticeId(name))


def test_a_new_file_is_never_made_through_a_link(tmp_path: Path) -> None:
    """Neither a link to a file nor a dangling one is followed, and nothing that exists is overwritten."""
    victim, dangling = tmp_path / "victim", tmp_path / "nowhere"
    victim.write_text("precious")
    for target in (victim, dangling):
        place = tmp_path / f"link to {target.name}"
        place.symlink_to(target)
        with pytest.raises(FileExistsError):
            create_private(place)
    with pytest.raises(FileExistsError):
        create_private(victim)
    assert (victim.read_text(), dangling.exists()) == ("precious", False)
    os.close(create_private(tmp_path / "new"))
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


def test_a_key_file_is_not_made_through_a_link_either(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "elm.1.key").symlink_to(outside)
    assert Keyring.create_key(tmp_path / "keys", ELM).name == "elm.2.key"
    assert not outside.exists()


def test_a_destroyed_file_holds_nothing_any_more(tmp_path: Path) -> None:
    file, other = tmp_path / "elm.1.key", tmp_path / "second name"
    file.write_bytes(b"secret" * 8)
    os.link(file, other)
    assert destroy(file)
    assert (file.exists(), other.read_bytes()) == (False, bytes(48))
    assert destroy(file), "what is not there is destroyed"
    link = tmp_path / "link"
    link.symlink_to(other)
    assert not destroy(link), "what a link leads to is not ours"


# -- hashes and ids -------------------------------------------------------------------------------------------------------


def guesses() -> list[Event]:
    """A record of which all but the birth date is known, with every birth date."""
    first = observed()
    found = []
    for day in range(3650):
        chart = replace(first.body.chart, birth_date=date(1966, 1, 1) + timedelta(days=day))  # type: ignore[union-attr]
        body = EhrChartObserved(chart=chart)
        id_ = event_id(ELM, "ElationChartObserved", "patients", "11", "None/0", fingerprint(body))
        found.append(replace(first, body=body, id=id_))
    return found


def test_b4_a_birth_date_is_not_found_by_trying() -> None:
    """What is stored and what travels matches no guess; before, exactly one."""
    one, tried = observed(), guesses()
    note = Note(system=System.EHR, resource="patients", record="11", content_hash=fingerprint(one.body))
    change = Change(practice=ELM, event=one, notes=(note,))
    for keys, hits in ((ring(None), 1), (ring(in_force()), 0)):
        encoded = encode_message(change, keys)
        sent = decode_message(encoded, keys)
        assert isinstance(sent, Change)
        assert sent.event is not None
        stored = hashed(keys, ELM, note.content_hash)
        assert sent.notes[0].content_hash == stored
        assert sum(guess.id == sent.event.id for guess in tried) == hits
        assert sum(fingerprint(guess.body) == stored for guess in tried) == hits
        assert sum(str(guess.id).encode() in encoded or guess.id.bytes in encoded for guess in tried) == hits
        assert sum(fingerprint(guess.body).encode() in encoded for guess in tried) == hits


@given(text=st.text(), key=KEYS, other=KEYS)
def test_b4_a_keyed_hash_tells_alike_from_unlike(text: str, key: bytes, other: bytes) -> None:
    once = keyed_hash(key, text)
    assert keyed_hash(key, once) == once, "keying what is keyed changes nothing"
    assert (once == "") == (text == "")
    if text and not text.startswith("k."):
        assert once != text
        assert (keyed_hash(other, text) == once) == (key == other)


@given(plain=st.uuids(version=5), key=KEYS)
def test_b4_a_keyed_id_is_keyed_once(plain: Any, key: bytes) -> None:
    once = keyed_id(key, EventId(plain))
    assert is_keyed(once)
    assert not is_keyed(EventId(plain))
    assert keyed_id(key, once) == once != plain


def test_a_change_told_again_has_one_identity_before_and_after_an_upgrade() -> None:
    """Recorded under either id, told by a worker of before or of now, it is known."""
    keys, one = ring(in_force()), observed()
    later = keyed_event(keys, one)
    sent = decode_message(encode_message(Change(practice=ELM, event=one), keys), keys)
    assert isinstance(sent, Change)
    assert (sent.event, sent.plain) == (later, one.id)
    for told, plain in ((one, {}), (later, {later.id: one.id})):
        same = Identified.of(keys, [told], plain)
        assert [event.id for event in same.events] == [later.id]
        assert all(same.is_known(told.id, {stored}) for stored in (one.id, later.id))
        assert not same.is_known(told.id, {observed("Rome").id})
    assert keyed_event(keys, observed(practice=OAK)) == observed(practice=OAK), (
        "a practice without data keys goes on as before"
    )


def test_a_rotation_never_changes_hashes_and_ids() -> None:
    files = {**FILES, "elm.3": b"4" * 32}
    before, after = ring(in_force()), ring(in_force("elm.3", 2, files, d2=b"e" * 32), files)
    assert keyed_event(before, observed()) == keyed_event(after, observed())
    assert hashed(before, ELM, "a hash") == hashed(after, ELM, "a hash")


def test_the_order_of_data_keys_is_that_of_their_numbers() -> None:
    more = {f"d{number}": bytes([number]) * 32 for number in (10, 2, 9)}
    assert ring(in_force(**more)).seal(ELM, b"", b"")[0] == "elm.d10"


def test_a_wrapped_row_says_nothing_of_its_key() -> None:
    (one, *_) = in_force().wrapped
    assert isinstance(one, Wrapped)
    assert FILES["elm.1"] not in one.wrapped
