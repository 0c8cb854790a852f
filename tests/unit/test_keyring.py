"""Where the master key comes from, and what is said when it is not there or is no key."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kenpin.contracts.errors import KeyRefused
from kenpin.security.keyring import KeySource, MasterKey, key_from, new_key, read_keyring, write_keyring


def test_a_first_key_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "master.key"

    ring = KeySource(place, None).find(sealed=False)

    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert [path.name for path in place.parent.iterdir()] == ["master.key"]
    assert read_keyring(place) == ring and len(ring.current.secret) == 32


def test_many_that_start_at_once_get_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        rings = list(pool.map(lambda _: KeySource(tmp_path / "k", None).find(sealed=False), range(16)))

    assert len({ring.current.id for ring in rings}) == 1


def test_no_key_is_made_where_something_is_sealed(tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match=r"is missing, and records are sealed.*KENPIN_KEY_FILE"):
        KeySource(tmp_path / "k", None).find(sealed=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content",
    ["", "\n", "AAAA", "not base64!", "=" * 44, new_key().text[:-8], f"{new_key().text}\n{new_key().text[:20]}"],
    ids=["empty", "blank", "short", "no base64", "padding only", "cut off", "second one cut off"],
)
def test_what_is_no_key_is_said_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "k").write_text(content)

    with pytest.raises(KeyRefused, match="nothing was changed") as told:
        KeySource(tmp_path / "k", None).find(sealed=True)

    assert "\n" not in str(told.value) and str(tmp_path / "k") in str(told.value)
    assert (tmp_path / "k").read_text() == content


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, content: bytes | None) -> None:
    place = tmp_path / "k"
    place.mkdir() if content is None else place.write_bytes(content)

    with pytest.raises(KeyRefused, match="cannot be read"):
        KeySource(place, None).find(sealed=False)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(KeyRefused, match=r"cannot be made.*KENPIN_KEY_FILE"):
        KeySource(tmp_path / "file" / "k", None).find(sealed=False)
    with pytest.raises(KeyRefused, match="cannot be written"):
        write_keyring(tmp_path / "gone" / "k", (new_key(),))


def test_a_variable_wins_over_the_file_and_brings_its_successor(tmp_path: Path) -> None:
    write_keyring(tmp_path / "k", (new_key(),))
    old, new = new_key(), new_key()

    ring = KeySource(tmp_path / "k", old.text, new.text).find(sealed=True)

    assert ring.keys == (old, new) and ring.source == "KENPIN_MASTER_KEY"
    assert KeySource(tmp_path / "k", old.text, old.text).read().keys == (old,)
    with pytest.raises(KeyRefused, match="KENPIN_NEW_MASTER_KEY: expected a master key"):
        KeySource(tmp_path / "k", old.text, "xyz").read()


def test_a_file_is_replaced_whole_and_a_link_to_it_stays(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    write_keyring(tmp_path / "real", (old,))
    (tmp_path / "link").symlink_to("real")

    write_keyring(tmp_path / "link", (new, old))

    assert (tmp_path / "link").is_symlink() and read_keyring(tmp_path / "real").keys == (new, old)
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_secrets_are_in_no_text_of_an_object(tmp_path: Path) -> None:
    key = MasterKey(bytes(range(32)))
    ring = KeySource(tmp_path / "k", key.text).find(sealed=False)

    for shown in (repr(key), repr(ring), repr(KeySource(tmp_path, key.text, key.text)), str(key.id)):
        assert key.text not in shown and repr(key.secret)[2:20] not in shown
    assert key_from(key.text + "\n", source="here") == key
    with pytest.raises(KeyRefused, match=key.id):
        ring.named("0" * 16)
