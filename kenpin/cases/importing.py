"""Taking in an existing list of cases: every line is checked first, and nothing is added unless all are good."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import ValidationError

from kenpin.cases.listing import MAX_CELL, Line, read_listing
from kenpin.cases.words import concepts
from kenpin.contracts.case import Case
from kenpin.contracts.errors import FileRefused, PictureRefused
from kenpin.contracts.ports import CaseStore, PictureStore
from kenpin.contracts.verdict import DefectType
from kenpin.contracts.view import Box, RgbImage, clip
from kenpin.security.uploads import read_upload

IMPORTED = "imported-"
"""What the ids of imported cases begin with."""

_NOT = re.compile(r"\b(no|not|none|without)\b|無し|なし|無$|以外")
"""A type that says what is not there is kept as it is."""
_TYPES = frozenset(kind.value for kind in DefectType)
_SEVERITIES = {"critical": "critical", "致命": "critical", "致命的": "critical", "major": "major", "重": "major",
               "重大": "major", "重度": "major", "minor": "minor", "軽": "minor", "軽微": "minor", "軽度": "minor"}
_DATES = (re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"), re.compile(r"(\d{4})(\d\d)(\d\d)"))
_REIWA = re.compile(r"(?:令和|r)\s?(\d{1,2}|元)[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
_TEXTS = ("product", "cause", "disposition", "note", "lot", "part")


@dataclass(frozen=True)
class Bad:
    """A line that cannot be taken in, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class Plan:
    """What an import would do. The pictures are read again when it is carried out."""

    name: str
    sha256: str
    """Of the list."""
    cases: tuple[tuple[Case, Path], ...]
    bad: tuple[Bad, ...]
    unused: tuple[str, ...]
    """Columns that mean nothing here."""
    replaced: tuple[tuple[int, int], ...]
    """Lines that say the same case again, with the line before; the later one counts."""
    kept_types: tuple[str, ...]
    """Types in words that are none of Kenpin's, kept as they are."""
    encoding: str


def plan_import(data: bytes, folder: Path, *, name: str, by: str, columns: Mapping[str, str] | None = None,
                encoding: str | None = None, now: datetime | None = None) -> Plan:
    """Check a list and every picture that it names.

    Args:
        data: The list (CSV with headings in English or Japanese; see `listing`).
        folder: Where the pictures lie; nothing outside it is read.
        name: What the list is called.
        by: Who imports it; it is noted in each case's `source`, with the day.
        columns: Fields by heading, for headings that are not known.
        encoding: Of the list; None finds it out.
        now: Time of the import, UTC.
    Raises:
        FileRefused: The list or the folder cannot be read as such.
    """
    if not folder.is_dir():
        raise FileRefused(f"{folder}: is no folder; name the one with the pictures of {name}")
    listing = read_listing(data, name=name, columns=columns, encoding=encoding)
    day = (now or datetime.now(UTC)).date()
    found: dict[str, tuple[Case, Path, int]] = {}
    bad, replaced, kept = [], [], set()
    for line in listing.lines:
        try:
            case, place = _case(line, folder, f"imported from {name} line {line.number} by {by} on {day.isoformat()}")
        except (FileRefused, PictureRefused) as exc:
            bad.append(Bad(line.number, str(exc)))
            continue
        if case.id in found:
            replaced.append((line.number, found[case.id][2]))
        found[case.id] = (case, place, line.number)
        kept |= {case.defect_type} - _TYPES
    cases = tuple((case, place) for case, place, _ in found.values())
    return Plan(name, hashlib.sha256(data).hexdigest(), cases, tuple(bad), listing.unused, tuple(replaced),
                tuple(sorted(kept)), listing.encoding)


def carry_out(plan: Plan, store: CaseStore, pictures: PictureStore, *, skip_bad: bool = False) -> int:
    """Add the cases of a plan, replacing those of the same id, and return how many.

    Raises:
        FileRefused: There are bad lines and they are not to be skipped, or a picture changed since. Nothing was added
            in the first case; in the second, run again: what is there already is replaced.
    """
    if plan.bad and not skip_bad:
        raise FileRefused(f"{plan.name}: {len(plan.bad)} of {len(plan.bad) + len(plan.cases)} lines cannot be taken "
                          f"in, so nothing was added; line {plan.bad[0].line}: {plan.bad[0].reason}")
    for case, place in plan.cases:
        pixels = read_upload(place, name=place.name).pixels
        _check_box(case.box, pixels)
        kept = case.model_copy(update={"picture": pictures.put(pixels)})
        store.add(kept, pixels=pixels)
    return len(plan.cases)


def known_type(words: str) -> str:
    """The defect type that words surely mean, else the words themselves; `other-defect` where there are none.

    Sure is: a type's own name, or exactly one of the concepts of `kenpin.cases.words` and no "no" in it. 「打ちキズ」
    says dent and scratch, so it stays as it is: a search by words still finds it as both.
    """
    plain = unicodedata.normalize("NFKC", words).casefold().strip()
    if not plain:
        return DefectType.OTHER.value
    if plain in _TYPES:
        return plain
    meant = [concept for concept in concepts(plain) if concept in _TYPES]
    return meant[0] if len(meant) == 1 and not _NOT.search(plain) else words.strip()


def _case(line: Line, folder: Path, source: str) -> tuple[Case, Path]:
    cells = line.cells
    if long := next((field for field, text in cells.items() if len(text) > MAX_CELL), None):
        raise FileRefused(f"{long} has {len(cells[long])} characters; at most {MAX_CELL}")
    if not cells["product"]:
        raise FileRefused("names no product")
    place = _inside(folder, cells["picture"])
    upload = read_upload(place, name=place.name)
    box, kind = _box(cells), known_type(cells["defect_type"])
    _check_box(box, upload.pixels)
    text = {field: cells.get(field, "") for field in _TEXTS}
    severity = cells.get("severity", "")
    given = cells.get("id", "")
    name = f"{IMPORTED}{given}" if given else _stable(upload.sha256, box, cells["product"], cells["defect_type"])
    try:
        return Case.model_validate({
            **text, "id": name, "defect_type": kind, "picture": upload.sha256, "box": box, "origin": "imported",
            "lot": text["lot"] or None, "part": text["part"] or None, "date": _date(cells.get("date", "")),
            "severity": _SEVERITIES.get(severity.casefold(), severity) or None, "source": source,
            "language": "ja" if any("\u3040" <= sign <= "\u9fff" for sign in "".join(text.values())) else "en",
        }), place
    except ValidationError as exc:
        first = exc.errors()[0]
        raise FileRefused(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _stable(sha256: str, box: Box | None, product: str, kind: str) -> str:
    """The same picture, region, product and type are the same case, however often a list is taken in."""
    return IMPORTED + hashlib.sha256(f"{sha256} {box} {product} {kind}".encode()).hexdigest()[:16]


def _inside(folder: Path, named: str) -> Path:
    """The file of a picture, which must lie in the folder; links that lead out of it are not followed."""
    if not named:
        raise FileRefused("names no picture")
    if "\0" in named:
        raise FileRefused("the name of the picture holds a character that no file name has")
    for form in ("NFC", "NFD"):
        # A list written on one system names files of another: 「ガ」 is one sign here and two there.
        place = (folder / unicodedata.normalize(form, named.replace("\\", "/"))).resolve()
        if not place.is_relative_to(folder.resolve()):
            raise FileRefused(f"{_short(named)}: lies outside {folder.name}; pictures must lie in the folder")
        if place.is_file():
            return place
    raise FileRefused(f"{_short(named)}: there is no such file in {folder.name}")


def _box(cells: Mapping[str, str]) -> Box | None:
    corners = [cells.get(name, "") for name in ("x0", "y0", "x1", "y1")]
    if cells.get("box") and not any(corners):
        corners = [part for part in re.split(r"[\s,;、，]+", cells["box"].strip("[]() ")) if part]
    if not any(corners):
        return None
    try:
        x0, y0, x1, y1 = (round(float(unicodedata.normalize("NFKC", corner))) for corner in corners)
    except (ValueError, OverflowError):
        raise FileRefused(f"box {_short(' '.join(corners))!r}: expected x0, y0, x1, y1 in pixels") from None
    if x0 >= x1 or y0 >= y1:
        raise FileRefused(f"box [{x0}, {y0}, {x1}, {y1}]: expected x0 < x1 and y0 < y1")
    return x0, y0, x1, y1


def _check_box(box: Box | None, pixels: RgbImage) -> None:
    height, width = pixels.shape[:2]
    if box is not None and clip(box, width, height) != box:
        raise FileRefused(f"box {list(box)} lies outside its picture of {width}x{height} px")


def _date(words: str) -> str | None:
    """YYYY-MM-DD of a date as spreadsheets write it, without the time. 03/04/2025 is refused: it means two days."""
    plain = unicodedata.normalize("NFKC", words).casefold().strip()
    if not plain:
        return None
    day = re.split(r"[ t](?=\d{1,2}:)", plain)[0].strip()
    numbers: Sequence[str] = ()
    if (era := _REIWA.fullmatch(day)) is not None:
        year = 1 if era[1] == "元" else int(era[1])
        numbers = (str(2018 + year), era[2], era[3])
    elif (match := next(filter(None, (form.fullmatch(day) for form in _DATES)), None)) is not None:
        numbers = match.groups()
    try:
        return date(*(int(number) for number in numbers)).isoformat()
    except (ValueError, TypeError):
        raise FileRefused(f"date {_short(words)!r}: expected YYYY-MM-DD, YYYY/MM/DD or YYYY年M月D日") from None


def _short(text: str) -> str:
    return " ".join(text.split())[:80]
