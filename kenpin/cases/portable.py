"""Cases as files: `cases.jsonl`, one case a line, with the file of its picture beside it."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kenpin.contracts.case import SIGNED, Case
from kenpin.contracts.errors import FileRefused
from kenpin.contracts.ports import CaseStore, PictureStore
from kenpin.contracts.view import Box, RgbImage, clip
from kenpin.security.uploads import read_upload

LIST = "cases.jsonl"
PICTURES = "pictures"
PNG_START = b"\x89PNG"
MAX_LINE = 200_000
"""Characters of one line; a case is text of a few hundred."""


def export_cases(folder: Path, store: CaseStore, pictures: PictureStore) -> int:
    """Write every case and its picture to a folder and return how many there are.

    Raises:
        FileRefused: The folder cannot be written.
        StoreError: A picture is missing from the store.
    """
    lines = []
    try:
        (folder / PICTURES).mkdir(parents=True, exist_ok=True)
        for case in store.all():
            data = pictures.read_file(case.picture)
            file = f"{PICTURES}/{case.picture}{'.png' if data.startswith(PNG_START) else '.jpg'}"
            (folder / file).write_bytes(data)
            lines.append(json.dumps({"file": file, **case.model_dump(mode="json")}, ensure_ascii=False) + "\n")
        (folder / LIST).write_text("".join(lines), encoding="utf-8")
    except OSError as exc:
        raise FileRefused(f"{folder}: cannot be written ({exc.strerror or exc})") from exc
    return len(lines)


def import_cases(folder: Path, store: CaseStore, pictures: PictureStore) -> int:
    """Add the cases of a folder as `export_cases` writes it, replacing those of the same id, and return how many.

    All lines and pictures are checked before the first case is added.

    Raises:
        FileRefused: `cases.jsonl` is missing, a line is no case, or its picture is not in the folder.
        PictureRefused: A picture is not one that can be inspected.
    """
    cases = [(file, as_told(case)) for file, case in read_cases(folder)]
    for file, case in cases:
        _check_box(case, picture_of(folder, file))
    for file, case in cases:
        add_with_picture(case, picture_of(folder, file), store, pictures)
    return len(cases)


def as_told(case: Case) -> Case:
    """A case from a file: it stands on no signature here, whatever it says of itself, and replaces none that does."""
    told: dict[str, Any] = {"id": f"imported-{case.id}"} if case.id.startswith(SIGNED) else {}
    if case.origin == "signed":
        told |= {"origin": "imported", "inspection": None}
    return case.model_copy(update=told)


def add_with_picture(case: Case, pixels: RgbImage, store: CaseStore, pictures: PictureStore) -> Case:
    """Keep a case's picture and add the case under the name that the picture has here."""
    kept = case.model_copy(update={"picture": pictures.put(pixels)})
    store.add(kept, pixels=pixels)
    return kept


def add_picture(pixels: RgbImage, store: CaseStore, pictures: PictureStore, *, box: Box | None,
                **about: str | None) -> Case:
    """Add one picture as a case, by the region that a person drew; without one the whole picture stands for it.

    `about` are the other fields of a case. The id comes from the picture, the box and the defect type, so that adding
    the same again replaces it.

    Raises:
        FileRefused: The box lies outside the picture.
    """
    picture = pictures.put(pixels)
    name = hashlib.sha256(f"{picture} {box} {about.get('defect_type')}".encode()).hexdigest()[:12]
    case = Case.model_validate({**about, "id": f"case-{name}", "picture": picture, "box": box})
    _check_box(case, pixels)
    store.add(case, pixels=pixels)
    return case


def _check_box(case: Case, pixels: RgbImage) -> None:
    height, width = pixels.shape[:2]
    if case.box is not None and clip(case.box, width, height) != case.box:
        raise FileRefused(f"case {case.id}: box {list(case.box)} lies outside its picture of {width}x{height} px")


def read_cases(folder: Path) -> Iterator[tuple[str, Case]]:
    """The cases of a folder with the file of each one's picture; the pictures are not read yet.

    Raises:
        FileRefused: As `import_cases`.
    """
    path = folder / LIST
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise FileRefused(f"{path}: cannot be read; expected a folder as `kenpin cases export` writes it") from exc
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _read_line(line, f"{path.name} line {number}")


def picture_of(folder: Path, file: str) -> RgbImage:
    """The picture of a case, (H, W, 3) uint8 RGB; it must lie inside the folder."""
    place = (folder / file).resolve()
    if not place.is_relative_to(folder.resolve()):
        raise FileRefused(f"{file}: lies outside {folder.name}; a case's picture must lie in its folder")
    return read_upload(place, name=file).pixels


def _read_line(line: str, where: str) -> tuple[str, Case]:
    try:
        if len(line) > MAX_LINE:
            raise ValueError("too long")
        record: dict[str, Any] = dict(json.loads(line))
        file = str(record.pop("file"))
        return file, Case.model_validate({"picture": "0" * 64, **record, "box": _box(record.get("box"))})
    except KeyError:
        raise FileRefused(f"{where}: names no picture `file`") from None
    except ValidationError as exc:
        first = exc.errors()[0]
        raise FileRefused(f"{where}: {'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from exc
    except (ValueError, TypeError) as exc:
        raise FileRefused(f"{where}: is not a case; expected one JSON object a line") from exc


def _box(value: Any) -> Box | None:
    return None if value is None else tuple(value)
