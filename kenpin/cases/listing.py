"""A list of cases as a spreadsheet saves it: encoding, delimiter and columns are found out, lines are numbered."""

import csv
import io
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kenpin.contracts.errors import FileRefused

MAX_BYTES = 64 * 2**20
MAX_LINES = 100_000
MAX_CELL = 4000
"""Characters of one cell; a note is a few hundred."""
DELIMITERS = ",;\t"
ENCODINGS = ("utf-8", "cp932")
"""Tried in this order where there is no byte order mark. CP932 text is hardly ever valid UTF-8."""

FIELDS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "case", "case id", "case no", "number", "事例番号", "事例id", "管理番号", "番号"),
    "product": ("product", "product name", "model", "製品", "製品名", "品名", "品番", "機種"),
    "defect_type": ("defect type", "type", "defect", "kind", "不良種類", "欠陥種別", "不良種別", "欠陥種類", "種別",
                    "種類", "不良内容", "不良項目", "欠陥"),
    "cause": ("cause", "root cause", "原因", "発生原因"),
    "disposition": ("disposition", "action", "done", "処置", "処置内容", "対応", "対策"),
    "note": ("note", "notes", "remark", "remarks", "comment", "備考", "メモ", "コメント"),
    "lot": ("lot", "lot no", "batch", "ロット", "ロット番号", "ロットno"),
    "part": ("part", "part no", "serial", "serial no", "部品番号", "個体番号", "シリアル", "シリアル番号", "製造番号"),
    "date": ("date", "日付", "発生日", "検査日", "年月日"),
    "severity": ("severity", "重大度", "等級", "重要度"),
    "picture": ("picture", "image", "file", "file name", "filename", "photo", "画像", "ファイル名", "画像ファイル",
                "写真", "ファイル"),
    "box": ("box", "bbox", "region", "枠", "領域", "位置", "範囲"),
    "x0": ("x0", "xmin", "left", "左"), "y0": ("y0", "ymin", "top", "上"),
    "x1": ("x1", "xmax", "right", "右"), "y1": ("y1", "ymax", "bottom", "下"),
}
"""Each field with the headings that mean it, without regard to case, width, spaces, hyphens and underscores."""

NEEDED = ("picture", "product", "defect_type")


@dataclass(frozen=True)
class Line:
    """One line of a list."""

    number: int
    """Where it begins in the file; the heading is line 1."""
    cells: Mapping[str, str]
    """By field, without surrounding spaces; an empty cell is ""."""


@dataclass(frozen=True)
class Listing:
    """A list that was read."""

    lines: tuple[Line, ...]
    unused: tuple[str, ...]
    """Headings that mean nothing here."""
    encoding: str
    delimiter: str


def read_listing(data: bytes, *, name: str, columns: Mapping[str, str] | None = None,
                 encoding: str | None = None) -> Listing:
    """Read a list of cases.

    Args:
        data: The file.
        name: What to call it in messages.
        columns: Fields by heading, for headings that are not known.
        encoding: Of the file; None finds it out (UTF-8 with or without a mark, UTF-16 with one, CP932).
    Raises:
        FileRefused: It is no such list, or a column that is needed is missing.
    """
    text, found = _decoded(data, name, encoding)
    delimiter = _delimiter(text)
    rows = _rows(text, delimiter, name)
    try:
        _, headings = next(rows)
    except StopIteration:
        raise FileRefused(f"{name}: is empty; expected a line of headings and a line for each case") from None
    places, unused = _placed(headings, columns or {}, name)
    lines = []
    for number, row in rows:
        cells = {field: row[place].strip() if place < len(row) else "" for field, place in places.items()}
        if any(cells.values()):
            lines.append(Line(number, cells))
    if not lines:
        raise FileRefused(f"{name}: has headings and no cases")
    return Listing(tuple(lines), unused, found, delimiter)


def _decoded(data: bytes, name: str, encoding: str | None) -> tuple[str, str]:
    if len(data) > MAX_BYTES:
        raise FileRefused(f"{name}: {len(data) / 2**20:.0f} MiB; at most {MAX_BYTES // 2**20} MiB, take it in in parts")
    marked = "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        marked = "utf-16"
    for tried in [encoding] if encoding else [marked] if marked else ENCODINGS:
        try:
            text = data.decode(tried)
        except (UnicodeDecodeError, LookupError):
            continue
        if "\0" not in text:
            return text, tried
    wanted = encoding or "UTF-8 or CP932 (Shift_JIS)"
    raise FileRefused(f"{name}: is no text in {wanted}; save it as CSV UTF-8, or name its --encoding")


def _delimiter(text: str) -> str:
    """What most often parts the headings."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(DELIMITERS, key=first.count)


def _rows(text: str, delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of the line on which each begins; a cell in quotes may go over several lines."""
    reader, begins = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield begins, row
            begins = reader.line_num + 1
            if begins > MAX_LINES:
                raise FileRefused(f"{name}: more than {MAX_LINES} lines; take it in in parts")
    except csv.Error as exc:
        raise FileRefused(f"{name} line {begins}: cannot be read ({exc}); is a quotation mark not closed?") from None


def _placed(headings: list[str], columns: Mapping[str, str], name: str) -> tuple[dict[str, int], tuple[str, ...]]:
    """The column of each field, and the headings without one."""
    named = {_plain(heading): field for heading, field in columns.items()}
    if unknown := sorted(set(named.values()) - FIELDS.keys()):
        raise FileRefused(f"--map: there is no field {unknown[0]!r}; known: {', '.join(FIELDS)}")
    if absent := sorted(set(named) - {_plain(heading) for heading in headings}):
        raise FileRefused(f"--map: {name} has no column {absent[0]!r}; it has {', '.join(filter(None, headings))}")
    places: dict[str, int] = {}
    unused = []
    for place, heading in enumerate(headings):
        field = named.get(_plain(heading)) or (None if _plain(heading) in named else _KNOWN.get(_plain(heading)))
        if field is None or (field in named.values() and _plain(heading) not in named):
            unused += [heading.strip()] if heading.strip() else []
        elif field in places:
            raise FileRefused(f"{name}: columns {headings[places[field]]!r} and {heading!r} both say {field}; "
                              f"name the right one with --map '{heading}={field}'")
        else:
            places[field] = place
    if missing := [field for field in NEEDED if field not in places]:
        raise FileRefused(f"{name}: no column says {', '.join(missing)}; it has {', '.join(filter(None, headings))}; "
                          f"name it with --map 'COLUMN={missing[0]}'")
    return places, tuple(unused)


def _plain(heading: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKC", heading).casefold() if sign not in " _-.:\t\ufeff")


_KNOWN = {_plain(heading): field for field, headings in FIELDS.items() for heading in (field, *headings)}
