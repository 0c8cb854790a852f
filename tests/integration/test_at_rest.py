"""What lies in the data folder after real work, and what commands say of keys and files that are not right."""

import base64
import gc
import hashlib
import json
import re
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.inspector import answer_of
from kenpin import cli_shared, doctor, wiring
from kenpin.config import read_settings
from kenpin.contracts.errors import NotAllowed, StoreError
from kenpin.contracts.people import Actor, Role
from kenpin.security.keyring import new_key, read_keyring
from kenpin.security.rotation import examine
from kenpin.services import Services
from kenpin.session import material

SAY = "Look for scratches, says the brass sentinel of bay nine. 真鍮の番人が言う。"
Kenpin = Callable[..., Any]


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Commands run in this process; close what they opened, as its end would, so that files can be compared."""
    opened, real = [], wiring.open_kenpin

    def remembered(*given: Any, **more: Any) -> wiring.Kenpin:
        opened.append(real(*given, **more))
        return opened[-1]

    def close() -> None:
        while opened:
            if "database" in (kenpin := opened.pop()).__dict__:
                kenpin.database.close()
            del kenpin
        gc.collect()  # closes the checkpoints, which an inspector holds

    monkeypatch.setattr(wiring, "open_kenpin", remembered)
    monkeypatch.setenv("KENPIN_LANG", "en")
    yield close
    close()


def contents(home: Path) -> dict[str, str]:
    """Hash of each file, of SQLite's own helpers aside."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


@pytest.fixture(scope="module")
def worked(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data folder with an inspection of a real file, and its id."""
    home = tmp_path_factory.mktemp("worked") / "検品 home"
    kenpin = wiring.open_kenpin(read_settings(home=home))
    inspector = kenpin.inspector()
    inspection = inspector.start(material(folder / "part.png"))
    answer_of(inspector.say(inspection, SAY))
    kenpin.database.close()
    del inspector, kenpin
    gc.collect()
    return home, inspection


@pytest.fixture
def inspected(worked: tuple[Path, str], home: Path) -> str:
    """A copy of that folder as the data folder, and the inspection's id."""
    shutil.copytree(worked[0], home)
    return worked[1]


def picture(home: Path) -> Path:
    """The largest stored picture."""
    return max((p for p in (home / "pictures").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def test_nothing_readable_lies_in_the_data_folder(inspected: str, home: Path) -> None:
    files = [path for path in home.rglob("*") if path.is_file()]
    signs = {
        "instruction": b"brass sentinel", "日本語": "真鍮の番人".encode(), "UTF-16": "brass sentinel".encode("utf-16-le"),
        "base64": base64.b64encode(b"brass sentinel")[:16], "escaped": rb"\u771f\u936e", "PNG": b"\x89PNG\r\n",
        "IHDR": b"\0\0\0\rIHDR", "JPEG": b"JFIF\0\1",
    }  # fmt: skip  (each long enough not to turn up in random bytes by chance)

    found = [(path.name, sign) for path in files for sign, mark in signs.items() if mark in path.read_bytes()]

    assert found == []
    assert {"kenpin.sqlite", "checkpoints.sqlite", "master.key"} <= {path.name for path in files}
    assert len([path for path in files if re.fullmatch("[0-9a-f]{64}", path.name)]) >= 2


def test_checkpoints_are_sealed_and_go_on(
    inspected: str, kenpin: Kenpin, folder: Path, home: Path, closed: Callable[[], None]
) -> None:
    with sqlite3.connect(home / "checkpoints.sqlite") as connection:
        kinds = {kind for table in ("checkpoints", "writes") for (kind,) in
                 connection.execute(f"SELECT DISTINCT type FROM {table}")}
        metadata = connection.execute("SELECT metadata FROM checkpoints").fetchall()
    connection.close()
    assert kinds and all(re.fullmatch(r"\w+\+checkpoints:\d{4}-\d\d", kind) for kind in kinds)
    assert all(set(json.loads(row[0])) <= {"source", "step", "parents", "run_id", "thread_id"} for row in metadata)

    ran = kenpin("chat", folder / "part.png", "--resume", inspected, stdin="Zoom in on the lower left.\n")
    assert ran.code == 0 and "zoom" in ran.out.lower()


def test_the_folder_and_the_key_are_their_owners_alone(inspected: str, home: Path) -> None:
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "master.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("wrong", ["another", "missing", "cut off", "empty", "variable", "no key in the variable"])
def test_a_wrong_or_missing_key_is_one_line_and_changes_nothing(
    inspected: str, kenpin: Kenpin, folder: Path, home: Path, closed: Callable[[], None], wrong: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = home / "master.key"
    key, expected = place.read_text(), "KENPIN_MASTER_KEY"
    if wrong == "missing":
        place.unlink()
        expected = "is missing"
    elif wrong == "variable":
        monkeypatch.setenv("KENPIN_MASTER_KEY", new_key().text)
    elif wrong == "no key in the variable":
        monkeypatch.setenv("KENPIN_MASTER_KEY", "secret")
    else:
        place.write_text({"another": new_key().text, "cut off": key[:20], "empty": ""}[wrong])
        expected = str(place)
    before = contents(home)

    commands: list[tuple[object, ...]] = [("chat", folder / "part.png", "--resume", inspected), ("keys", "rotate")]
    if wrong == "another":
        commands += [
            ("inspect", folder / "part.png", "Zoom in."), ("inspect", folder / "part.png", "Zoom in.", "--json"),
            ("keys", "show"), ("cases", "list"), ("products", "add", "A", "--good", folder / "good"),
        ]  # fmt: skip
    for command in commands:
        ran = kenpin(*command)
        assert ran.code == 2 and expected in ran.line and "nothing was changed" in ran.line, command
        assert key.strip() not in ran.line
    closed()
    assert contents(home) == before

    place.write_text(key)
    monkeypatch.delenv("KENPIN_MASTER_KEY", raising=False)
    assert kenpin("keys", "show").code == 0


@pytest.mark.parametrize("how", ["tampered", "cut off", "another's"])
def test_a_changed_picture_is_one_line_and_changes_nothing(
    inspected: str, kenpin: Kenpin, folder: Path, home: Path, closed: Callable[[], None], how: str
) -> None:
    place = picture(home)
    whole = place.read_bytes()
    others = [p for p in (home / "pictures").rglob("*") if p.is_file() and p != place]
    place.write_bytes({
        "tampered": whole[:200] + bytes([whole[200] ^ 1]) + whole[201:], "cut off": whole[:-20],
        "another's": others[0].read_bytes(),
    }[how])  # fmt: skip
    before = contents(home)
    opened = cli_shared.installation()
    try:
        with pytest.raises(Exception, match="is not the one that was stored; restore it from a backup") as told:
            opened.pictures.get(place.name)
        assert "\n" not in str(told.value)
    finally:
        opened.database.close()
    assert contents(home) == before


def test_checkpoints_of_an_earlier_version_still_open(
    kenpin: Kenpin, folder: Path, home: Path, closed: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Plain:
        """As it was: no cipher, so langgraph's own serializer alone."""

        def __new__(cls, cipher: object) -> Any:
            from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

            return JsonPlusSerializer()

    with monkeypatch.context() as earlier:
        earlier.setattr("langgraph.checkpoint.serde.encrypted.EncryptedSerializer", Plain)
        inspection = json.loads(kenpin("inspect", folder / "part.png", SAY, "--json").out)["id"]
    closed()
    assert any(b"brass sentinel" in path.read_bytes() for path in home.glob("checkpoints.sqlite*"))

    ran = kenpin("chat", folder / "part.png", "--resume", inspection, stdin="Zoom in on the lower left.\n")

    assert ran.code == 0 and "zoom" in ran.out.lower()
    closed()

    place = picture(home)
    opened = cli_shared.installation()
    place.write_bytes(opened.pictures.read_file(place.name))
    told = kenpin("keys", "seal")
    closed()
    assert told.code == 0 and told.out.startswith("1 pictures and ") and " 0 checkpoints" not in told.out
    assert not any(b"brass sentinel" in p.read_bytes() or b"\x89PNG\r\n" in p.read_bytes() for p in home.rglob("*")
                   if p.is_file())
    assert kenpin("keys", "seal").out == "0 pictures and 0 checkpoints sealed\n"
    ran = kenpin("chat", folder / "part.png", "--resume", inspection, stdin="Zoom in on the lower right.\n")
    assert ran.code == 0 and "zoom" in ran.out.lower()


def test_a_backup_of_a_running_installation_is_restored(
    inspected: str, home: Path, closed: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, backup = cli_shared.installation(), tmp_path / "backup"
    backup.mkdir(mode=0o700)
    with closing(sqlite3.connect(home / "kenpin.sqlite")) as one, closing(sqlite3.connect(backup / "kenpin.sqlite")) as two:
        one.backup(two)
    later = running.pictures.put(np.full((20, 20, 3), 7, np.uint8))
    shutil.copytree(home / "pictures", backup / "pictures")
    key = shutil.copy(home / "master.key", tmp_path / "key")
    closed()
    monkeypatch.setenv("KENPIN_HOME", str(backup))
    monkeypatch.setenv("KENPIN_KEY_FILE", str(key))

    restored = cli_shared.installation()

    assert restored.traces.load(inspected).turns[0].say == SAY
    assert restored.verifier.broken() == [] == restored.audit.verify()
    with pytest.raises(StoreError, match=r"the key of stored picture .* is gone"):
        restored.pictures.get(later)
    assert restored.pictures.put(np.full((20, 20, 3), 7, np.uint8)) == later
    assert restored.pictures.get(later)[0, 0, 0] == 7


def test_keys_are_shown_and_changed(
    inspected: str, kenpin: Kenpin, folder: Path, home: Path, closed: Callable[[], None]
) -> None:
    pictures = {path: digest for path, digest in contents(home).items() if path.startswith("pictures")}
    checkpoints = contents(home)["checkpoints.sqlite"]
    first = read_keyring(home / "master.key").current
    shown = json.loads(kenpin("keys", "show", "--json").out)
    assert shown["in_force"] == first.id and shown["records"] > 2 and shown["waiting"] == 0

    told = kenpin("keys", "rotate")
    closed()

    second = read_keyring(home / "master.key").current
    assert told.code == 0 and first.id in told.out and second.id in told.out and second != first
    after = contents(home)
    assert {path: after[path] for path in pictures} == pictures and after["checkpoints.sqlite"] == checkpoints
    assert second.id in kenpin("keys", "show").out
    assert kenpin("chat", folder / "part.png", "--resume", inspected, stdin="Zoom in.\n").code == 0
    kenpin_after = cli_shared.installation()
    actions = [(e.actor.split(":")[0], e.action) for e in kenpin_after.audit.events(subject="keys")]
    kenpin_after.database.close()
    assert actions == [("console", "keys.rotated"), ("console", "keys.rotation_begun")]


def test_a_key_from_a_variable_is_made_used_and_changed(
    kenpin: Kenpin, folder: Path, home: Path, closed: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (kenpin("keys", "new").out.strip() for _ in range(2))
    assert first != second and len(base64.b64decode(first, validate=True)) == 32 and not home.exists()
    monkeypatch.setenv("KENPIN_MASTER_KEY", first)
    inspection = json.loads(kenpin("inspect", folder / "part.png", "Zoom in on the lower left.", "--json").out)["id"]
    assert not (home / "master.key").exists()
    assert "KENPIN_NEW_MASTER_KEY" in kenpin("keys", "rotate").line
    monkeypatch.setenv("KENPIN_NEW_MASTER_KEY", second)

    told = kenpin("keys", "rotate")

    assert told.code == 0 and "now put the new key into KENPIN_MASTER_KEY" in told.out and second not in told.out
    monkeypatch.delenv("KENPIN_NEW_MASTER_KEY")
    closed()
    assert "the records are sealed with master key" in kenpin("keys", "show").line
    monkeypatch.setenv("KENPIN_MASTER_KEY", second)
    assert kenpin("chat", folder / "part.png", "--resume", inspection, stdin="Zoom in.\n").code == 0


def test_doctor_tells_of_records_and_key(
    inspected: str, kenpin: Kenpin, home: Path, closed: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lines() -> dict[str, dict[str, Any]]:
        opened = cli_shared.installation()
        return {found.what: found.__dict__ for found in doctor._records(opened)}

    told = lines()
    assert told["records"]["says"] == f"SQLite {home / 'kenpin.sqlite'}, 1 inspections"
    key = read_keyring(home / "master.key").current.id
    assert told["master key"]["ok"] and key in told["master key"]["says"]
    assert "KENPIN_KEY_FILE" in told["master key"]["remedy"]

    elsewhere = tmp_path / "keys" / "kenpin.key"
    elsewhere.parent.mkdir()
    shutil.move(home / "master.key", elsewhere)
    monkeypatch.setenv("KENPIN_KEY_FILE", str(elsewhere))
    elsewhere.chmod(0o644)
    told = lines()
    assert told["master key"]["remedy"] == f"others on this machine may read it; chmod 600 {elsewhere}"

    elsewhere.write_text(new_key().text)
    told = lines()
    assert not told["master key"]["ok"] and told["master key"]["vital"] and told["records"]["ok"]


def test_only_who_may_change_keys_does(inspected: str, home: Path, closed: Callable[[], None]) -> None:
    services, before = Services(cli_shared.installation()), contents(home)
    state = examine(services.kenpin.database, services.kenpin.key_source)
    for actor in (
        Actor(name="guest", roles=frozenset({Role.OPERATOR}), kind="guest"),
        Actor(name="mallory", roles=frozenset({Role.ADMINISTRATOR}), session="forged"),
        Actor(name="console:mallory", roles=frozenset({Role.OPERATOR}), kind="console"),
    ):
        for act in (services.rotate_keys, services.seal_plain):
            with pytest.raises(NotAllowed):
                act(actor)
    assert examine(services.kenpin.database, services.kenpin.key_source) == state
    assert services.kenpin.audit.events(subject="keys") == []
    closed()
    after = contents(home)
    before.pop("kenpin.sqlite"), after.pop("kenpin.sqlite")  # the log of what was refused
    assert after == before
