"""Pictures in a folder, sealed: what lies there, what an earlier version left, and what happens to changed files."""

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from kenpin.contracts.errors import KeyRefused, StoreError
from kenpin.database.engine import Database, open_database
from kenpin.security.keyring import Keyring, new_key
from kenpin.security.vault import Vault, is_sealed
from kenpin.traces.pictures import FilePictures

KEY = Keyring((new_key(),), "this test")
PIXELS = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
Store = Callable[..., FilePictures]


@pytest.fixture
def database(tmp_path: Path, empty_sqlite: Path) -> Iterator[Database]:
    shutil.copy(empty_sqlite, tmp_path / "kenpin.sqlite")
    opened = open_database(None, folder=tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path: Path, database: Database) -> Store:
    """Opens the store anew: sealed, or plain as an earlier version did."""

    def opened(*, plain: bool = False, key: Keyring = KEY) -> FilePictures:
        return FilePictures(tmp_path / "pictures", None if plain else Vault(database, key))

    return opened


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "pictures").rglob("*") if path.is_file()}


def test_nothing_of_a_picture_is_left_readable(store: Store, tmp_path: Path) -> None:
    sha256, shown = store().put(PIXELS), store().put(PIXELS, lossless=False)

    lying = files(tmp_path)
    assert set(lying) == {sha256, shown} and all(map(is_sealed, lying.values()))
    # Long enough not to turn up in random bytes by chance.
    assert not any(mark in data for data in lying.values() for mark in (b"\x89PNG\r\n", b"\0\0\0\rIHDR", b"JFIF\0\1"))
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.glob("pictures/*/*"))
    assert store().read_file(sha256).startswith(b"\x89PNG") and store().read_file(shown).startswith(b"\xff\xd8")


def test_what_an_earlier_version_left_plain_is_read_and_sealed_when_it_is_stored_again(
    store: Store, tmp_path: Path
) -> None:
    sha256 = store(plain=True).put(PIXELS)
    assert files(tmp_path)[sha256].startswith(b"\x89PNG")

    assert np.array_equal(store().get(sha256), PIXELS) and files(tmp_path)[sha256].startswith(b"\x89PNG")
    assert store().put(PIXELS) == sha256
    assert is_sealed(files(tmp_path)[sha256]) and np.array_equal(store().get(sha256), PIXELS)


def test_all_that_was_left_plain_is_sealed_and_what_is_damaged_stays(store: Store, tmp_path: Path) -> None:
    first, second = (store(plain=True).put(np.roll(PIXELS, i, axis=0)) for i in range(2))
    third = store().put(PIXELS[::-1])
    place = tmp_path / "pictures" / second[:2] / second
    place.write_bytes(place.read_bytes()[:-5])

    number, wrong = store().seal_plain()

    assert number == 1 and len(wrong) == 1 and second[:12] in wrong[0]
    assert {name for name, data in files(tmp_path).items() if is_sealed(data)} == {first, third}
    assert np.array_equal(store().get(first), PIXELS)
    assert store(plain=True).seal_plain() == (0, [])


def test_a_changed_or_moved_file_is_one_clear_error_and_stays_as_it_is(store: Store, tmp_path: Path) -> None:
    first, second = store().put(PIXELS), store().put(PIXELS[::-1])
    place = {sha256: tmp_path / "pictures" / sha256[:2] / sha256 for sha256 in (first, second)}
    whole = place[first].read_bytes()
    plain = cv2.imencode(".png", PIXELS)[1].tobytes()

    for changed in (
        whole[:-1], whole[:30], whole[:10], b"", plain, place[second].read_bytes(),
        *(bytes(b ^ (at == i) for i, b in enumerate(whole)) for at in (0, 5, 20, len(whole) - 1)),
    ):  # fmt: skip
        place[first].write_bytes(changed)
        with pytest.raises(StoreError, match=f"stored picture {first[:12]} is not the one that was stored") as told:
            store().get(first)
        assert "\n" not in str(told.value) and place[first].read_bytes() == changed
    assert np.array_equal(store().get(second), PIXELS[::-1])

    stranger = hashlib.sha256(b"a picture that was never here").hexdigest()
    (tmp_path / "pictures" / stranger[:2]).mkdir(exist_ok=True)
    (tmp_path / "pictures" / stranger[:2] / stranger).write_bytes(whole)
    with pytest.raises(StoreError, match=f"the key of stored picture {stranger[:12]} is gone"):
        store().get(stranger)


def test_another_master_key_is_said_and_changes_nothing(store: Store, tmp_path: Path) -> None:
    sha256, wrong = store().put(PIXELS), Keyring((new_key(),), "wrong key")
    before = files(tmp_path)

    with pytest.raises(KeyRefused, match="wrong key holds"):
        store(key=wrong).get(sha256)
    with pytest.raises(KeyRefused, match="wrong key holds"):
        store(key=wrong).put(PIXELS[::-1])

    assert files(tmp_path) == before


def test_a_cut_or_orphaned_file_is_stored_anew(store: Store, tmp_path: Path, database: Database) -> None:
    sha256 = store().put(PIXELS)
    place = tmp_path / "pictures" / sha256[:2] / sha256
    place.write_bytes(place.read_bytes()[:100])
    store().put(PIXELS)
    assert np.array_equal(store().get(sha256), PIXELS)

    Vault(database, KEY).forget(f"picture:{sha256}")  # as after the database came back from a backup
    store().put(PIXELS)
    assert np.array_equal(store().get(sha256), PIXELS)


def test_a_process_that_ended_between_key_and_file_leaves_nothing_that_hurts(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FilePictures, "_write", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store().put(PIXELS)
    monkeypatch.undo()

    assert files(tmp_path) == {}
    assert np.array_equal(store().get(store().put(PIXELS)), PIXELS)


def test_threads_store_the_same_pictures_at_once(store: Store, tmp_path: Path) -> None:
    pictures, shared = [np.roll(PIXELS, i, axis=0) for i in range(4)], [store(), store()]

    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda i: shared[i % 2].put(pictures[i % 4]), range(32)))

    assert set(files(tmp_path)) == set(names) and len(set(names)) == 4
    assert all(np.array_equal(store().get(names[i]), pictures[i]) for i in range(4))


def test_a_discarded_picture_takes_its_key_with_it(store: Store, tmp_path: Path, database: Database) -> None:
    used, sha256 = store(), store().put(PIXELS)
    used.get(sha256)
    copy = files(tmp_path)[sha256]

    assert not used.discard(sha256, unused_since=time.time() - 60)  # stored a moment ago: somebody may need it
    assert np.array_equal(store().get(sha256), PIXELS)
    assert used.discard(sha256, unused_since=time.time() + 60) and used.discard(sha256, unused_since=0)

    assert files(tmp_path) == {} and not Vault(database, KEY).holds(f"picture:{sha256}")
    for one in (used, store()):
        with pytest.raises(StoreError, match="is not in the store"):
            one.get(sha256)
    (tmp_path / "pictures" / sha256[:2] / sha256).write_bytes(copy)
    with pytest.raises(StoreError, match="is gone: it was deleted by rule"):
        store().get(sha256)


def test_a_picture_that_is_stored_again_counts_as_new(store: Store, tmp_path: Path) -> None:
    sha256 = store().put(PIXELS)
    place = tmp_path / "pictures" / sha256[:2] / sha256
    os.utime(place, (1000, 1000))

    store().put(PIXELS)

    assert not store().discard(sha256, unused_since=time.time() - 60)
