"""Training conversations from reviews: signed ones only, as they were signed."""

import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from kenpin.contracts.errors import BadInput, FileRefused, NotAllowed
from kenpin.contracts.people import Role
from kenpin.contracts.review import Meaning
from kenpin.database.engine import open_database
from kenpin.tuning.signed import conversation
from kenpin.tuning.teacher import Teacher
from kenpin.tuning_service import Tuning


@pytest.fixture
def office(office_double: ModuleType, empty_sqlite: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    shutil.copy(empty_sqlite, tmp_path / "kenpin.sqlite")
    return office_double.Office(open_database(None, folder=tmp_path), tmp_path)


def calls(messages):  # type: ignore[no-untyped-def]
    return [call["function"] for message in messages for call in message.get("tool_calls", [])]


def test_the_signed_boxes_are_looked_at_and_false_alarms_are_not(office) -> None:  # type: ignore[no-untyped-def]
    rita, name = office.account("rita"), office.inspection()
    office.reviews.correct(rita, name, "f1", head=0, type="crack", box=(16, 24, 64, 60), why="longer")
    office.reviews.false_alarm(rita, name, "f2", head=1, why="dust")
    office.reviews.add_missed(rita, name, head=2, type="dent", box=(80, 60, 112, 96), why="missed")
    office.sign(rita, name)
    made = calls(conversation(office.open(rita, name), office.pictures, Teacher()))
    assert [call["name"] for call in made] == ["check_image", "zoom", "zoom", "answer"]
    assert [call["arguments"]["box"] for call in made[1:3]] == [[100, 200, 400, 500], [500, 500, 700, 800]]
    assert made[-1]["arguments"]["text"] == "crack [2]. dent [3]." and made[-1]["arguments"]["judged"] is True


def test_unsigned_and_rejected_work_is_refused(office) -> None:  # type: ignore[no-untyped-def]
    rita, open_one, rejected = office.account("rita"), office.inspection(), office.inspection()
    office.sign(rita, rejected, Meaning.REJECTED)
    for name, reason in ((open_one, "waiting"), (rejected, "rejected")):
        with pytest.raises(BadInput, match=reason):
            conversation(office.open(rita, name), office.pictures, Teacher())


def test_only_what_is_signed_is_exported_and_the_log_says_so(office, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    rita, signed = office.account("rita"), office.inspection()
    office.inspection()
    office.sign(rita, signed)
    done = Tuning(office).export(rita, tmp_path / "out")
    assert done.written == (signed,) and not done.left_out
    [line] = (tmp_path / "out" / "dialogues.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["inspection"] == signed and json.loads(line)["source"] == "signed"
    assert any((tmp_path / "out" / "pictures").iterdir())
    assert "tuning.exported" in office.audit.names()[1] + office.audit.names()[0]
    with pytest.raises(FileRefused, match="exists already"):
        Tuning(office).export(rita, tmp_path / "out")


def test_an_operator_of_no_account_exports_nothing(office, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    stranger = office.account("otto", Role.OPERATOR).model_copy(update={"name": "nobody"})
    with pytest.raises(NotAllowed):
        Tuning(office).export(stranger, tmp_path / "out")
    assert not (tmp_path / "out").exists()
