"""Criteria files: what they say, and one line for everything that is wrong with them."""

from pathlib import Path

import pytest

from kenpin.contracts.errors import FileRefused
from kenpin.contracts.verdict import Criteria, Criterion, Op
from kenpin.criteria import read_criteria


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "panel.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def limited(limit: str, head: str = 'revision: "3"') -> str:
    return f"{head}\nlimits:\n  - {{{limit}}}\n"


def one(folder: Path, limit: str) -> Criterion:
    return read_criteria(written(folder, limited(limit))).limits[0]


def test_a_file_is_read_as_it_stands(tmp_path: Path) -> None:
    text = """
        product: パネル A
        revision: 1.10
        limits:
          - {defect: scratch, quantity: length, max: 25, unit: mm}
          - {of: hole, quantity: diameter, min: 5.9, max: 6.1, unit: mm}
          - {of: washer, quantity: count, equal: 12}
    """

    criteria = read_criteria(written(tmp_path, text))

    assert (criteria.product, criteria.revision, criteria.source) == ("パネル A", "1.10", "panel.yaml")
    assert [limit.name for limit in criteria.limits] == [
        "scratch.length<=25mm",
        "hole.diameter=5.9..6.1mm",
        "washer.count==12",
    ]
    assert {(limit.revision, limit.origin) for limit in criteria.limits} == {("1.10", "panel.yaml")}
    assert isinstance(criteria, Criteria)


@pytest.mark.parametrize("revision", ["3", "1.10", "2026-01-31", "B", "0x10", "1_0", "no"])
def test_a_revision_stays_as_it_is_written(tmp_path: Path, revision: str) -> None:
    text = limited("defect: pit, quantity: count, max: 0", f"revision: {revision}")

    assert read_criteria(written(tmp_path, text)).revision == revision


@pytest.mark.parametrize(
    ("limit", "op", "value", "upper", "unit"),
    [
        ("defect: scratch, quantity: length, max: 25, unit: mm", Op.LE, 25, None, "mm"),
        ("type: scratch, quantity: length, limit: 25, unit: mm", Op.LE, 25, None, "mm"),
        ("of: gap, quantity: width, min: 0.5, unit: mm", Op.GE, 0.5, None, "mm"),
        ("of: hole, quantity: diameter, min: 5, max: 6, unit: px", Op.BETWEEN, 5, 6, "px"),
        ("defect: stain, quantity: area, max: 4, unit: mm²", Op.LE, 4, None, "mm2"),
        ("of: bracket, quantity: angle, min: 89, max: 91, unit: °", Op.BETWEEN, 89, 91, "deg"),
        ("quantity: count, equal: 12", Op.EQ, 12, None, ""),
        ("defect: Crack, quantity: count, max: 0, min:", Op.LE, 0, None, ""),
    ],
)
def test_limits(tmp_path: Path, limit: str, op: Op, value: float, upper: float | None, unit: str) -> None:
    read = one(tmp_path, limit)

    assert (read.op, read.value, read.upper, read.unit) == (op, value, upper, unit)


def test_a_limit_may_have_a_revision_of_its_own(tmp_path: Path) -> None:
    assert one(tmp_path, "quantity: count, equal: 3, revision: C").revision == "C"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected product, revision and limits"),
        ("just words", "expected product, revision and limits"),
        ("- a\n- b", "expected product, revision and limits"),
        ("limits: [", "is not YAML"),
        ("a: b: c", "is not YAML"),
        ("\tlimits: x", "is not YAML"),
        ("[" * 5000, "is not YAML"),
        (b"\xff\xfe\x00limits", "cannot be read"),
        ("revision: '3'\nlimits: []", "limits"),
        ("revision: '3'\nlimit: []", "limit: Extra inputs"),
        (limited("defect: scratch, quantity: length, max: 25, unit: mm", "product: A"), "has no revision"),
        (limited("defect: scratch, quantity: length, max: abc, unit: mm"), "limits.0"),
        (limited("defect: scratch, quantity: length, max: .nan, unit: mm"), "limits.0"),
        (limited("defect: scratch, quantity: length, max: .inf, unit: mm"), "limits.0"),
        (limited("defect: scratch, quantity: length, max: 1e999, unit: mm"), "finite"),
        (limited("defect: scratch, quantity: length, unit: mm"), "needs max, min (not above max) or equal"),
        (limited("defect: scratch, quantity: length, max: 1, equal: 2, unit: mm"), "needs max, min"),
        (limited("of: hole, quantity: diameter, min: 6, max: 5, unit: mm"), "not above max"),
        (limited("defect: scrach, quantity: length, max: 25, unit: mm"), "defect 'scrach' is not known"),
        (limited("defect: pit, of: hole, quantity: length, max: 25, unit: mm"), "give defect or of, not both"),
        (limited("defect: scratch, quantity: lenght, max: 25, unit: mm"), "quantity 'lenght' is not known"),
        (limited("defect: scratch, quantity: length, max: 25, unit: cm"), "unit 'cm' is not known"),
        (limited("defect: scratch, quantity: length, max: 25"), "has unit ''; expected mm or px"),
        (limited("quantity: count, equal: 3, unit: mm"), "expected no unit"),
        (limited("defect: stain, quantity: area, max: 25, unit: mm"), "expected mm2 or px2"),
        ("# " + "x" * 2**20, "larger than 1 MiB"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(FileRefused) as caught:
        read_criteria(written(tmp_path, text))

    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_an_alias_bomb_is_refused_at_once(tmp_path: Path) -> None:
    levels = "\n".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 12))

    with pytest.raises(FileRefused):
        read_criteria(written(tmp_path, f"l0: &l0 [x, x]\n{levels}\nlimits: *l11\n"))


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="there is no such criteria file"):
        read_criteria(tmp_path / "none.yaml")
    with pytest.raises(FileRefused, match="cannot be read"):
        read_criteria(tmp_path)
