"""What every picture store does."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from kenpin.contracts.errors import StoreError
from kenpin.contracts.ports import PictureStore
from kenpin.contracts.view import RgbImage
from kenpin.database.engine import Database, open_database
from kenpin.security.keyring import Keyring, new_key
from kenpin.security.vault import Vault
from kenpin.traces import pictures
from kenpin.traces.pictures import FilePictures

Opened = Callable[[], PictureStore]


KEY = Keyring((new_key(),), "this test")


@pytest.fixture
def records(tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path) -> Iterator[Database]:
    """A database for keys, outside the folder whose files are counted."""
    folder = tmp_path_factory.mktemp("records")
    shutil.copy(empty_sqlite, folder)
    database = open_database(None, folder=folder)
    yield database
    database.close()


@pytest.fixture(params=["files", "sealed"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, records: Database) -> Opened:
    """Opens the same store anew, as another process would."""
    return {
        "files": lambda: FilePictures(tmp_path / "pictures"),
        "sealed": lambda: FilePictures(tmp_path / "pictures", Vault(records, KEY)),
    }[request.param]


def noise(seed: int = 0, width: int = 40, height: int = 30) -> RgbImage:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def test_it_is_a_picture_store(opened: Opened) -> None:
    assert isinstance(opened(), PictureStore)


def test_pixels_come_back_as_they_were_and_cannot_be_written(opened: Opened) -> None:
    pixels = noise()
    sha256 = opened().put(pixels)

    for store in (opened(), opened()):
        back = store.get(sha256)
        assert np.array_equal(back, pixels) and not back.flags.writeable
        assert not store.get(sha256).flags.writeable


def test_the_name_is_the_sha256_of_the_file(opened: Opened) -> None:
    sha256 = opened().put(noise())

    assert hashlib.sha256(opened().read_file(sha256)).hexdigest() == sha256


def test_the_same_picture_is_stored_once(opened: Opened, tmp_path: Path) -> None:
    first, again, other = opened().put(noise()), opened().put(noise()), opened().put(noise(1))

    assert first == again != other
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == 2


def test_the_callers_picture_is_neither_written_nor_kept(opened: Opened) -> None:
    pixels = noise()
    pixels.flags.writeable = False
    opened().put(pixels)
    mine, store = noise(2), opened()
    sha256 = store.put(mine)
    mine[:] = 0

    assert np.array_equal(store.get(sha256), noise(2))


def test_a_picture_to_look_at_may_be_smaller(opened: Opened) -> None:
    store, smooth = opened(), np.tile(np.arange(200, dtype=np.uint8)[None, :, None], (200, 1, 3))

    seen = store.get(store.put(smooth, lossless=False))

    assert np.abs(seen.astype(int) - smooth).max() < 12


@pytest.mark.parametrize("sha256", ["0" * 64, "", "../../etc/passwd", "A" * 64, "0" * 63])
def test_what_is_not_there_is_said(opened: Opened, sha256: str) -> None:
    with pytest.raises(StoreError):
        opened().get(sha256)
    with pytest.raises(StoreError):
        opened().read_file(sha256)


def test_a_changed_file_is_noticed(opened: Opened, tmp_path: Path) -> None:
    sha256 = opened().put(noise())
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    file.write_bytes(file.read_bytes()[:-3])

    with pytest.raises(StoreError, match="is not the one that was stored"):
        opened().get(sha256)


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float64), np.zeros((4, 4, 4), np.uint8)]
)
def test_what_is_no_picture_is_refused(opened: Opened, wrong: RgbImage, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"expected \(H, W, 3\) uint8"):
        opened().put(wrong)
    assert not list(tmp_path.rglob("*"))


def test_many_threads_share_a_store_whose_memory_is_bounded(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "CACHED_BYTES", 3 * noise().nbytes)
    store = opened()
    names = [store.put(noise(i)) for i in range(8)]

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda i: np.array_equal(store.get(names[i % 8]), noise(i % 8)), range(200)))

    assert all(seen)
