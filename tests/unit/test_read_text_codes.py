"""Codes on parts: turned bars, dots instead of modules, small ones, check digits and GS1 fields."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import drawn_codes
from tools.read_text import TOOL, ReadTextArgs, ReadTextResult
from tools.reading.checks import check_digit, fields, modulo10
from tools.reading.codes import read_codes
from tools.solo import make_desk


def read(picture: np.ndarray, kind: Any = "code") -> ReadTextResult:
    result = TOOL.run(make_desk(picture), ReadTextArgs(why="what is the code?", kind=kind)).result
    assert isinstance(result, ReadTextResult)
    return result


@pytest.mark.parametrize("kind", ["bar codes, turned", "DataMatrix, peened", "DataMatrix, peened, turned",
                                  "DataMatrix, inverted", "Micro QR", "Code 39", "ITF-14", "several"])
@pytest.mark.parametrize("seed", [1000, 1001])
def test_codes_of_every_class_are_read(kind: str, seed: int) -> None:
    marked = drawn_codes.marked(kind, seed)
    result = read(marked.pixels)
    assert sorted(code.text for code in result.codes) == sorted(text for _, text in marked.codes)


@pytest.mark.parametrize("kind", ["bar codes, turned", "DataMatrix, peened"])
def test_the_box_of_a_code_lies_where_its_ink_lies(kind: str) -> None:
    marked = drawn_codes.marked(kind, 1003)
    (code,) = read(marked.pixels).codes
    x0, y0, x1, y1 = code.box
    inside = marked.pixels[y0:y1, x0:x1, 0].astype(float)
    outside = marked.pixels[..., 0].astype(float)
    assert (x1 - x0) * (y1 - y0) < 0.4 * outside.size
    assert inside.std() > 1.3 * outside.std()


@given(turns=st.integers(1, 3), seed=st.integers(1010, 1013), kind=st.sampled_from(["DataMatrix, peened", "EAN-13"]))
@settings(max_examples=4, deadline=None)
def test_quarter_turns_change_no_code(turns: int, seed: int, kind: str) -> None:
    marked = drawn_codes.marked(kind, seed)
    assert [c.text for c in read(np.rot90(marked.pixels, turns).copy()).codes] == [text for _, text in marked.codes]


def test_ground_without_a_code_is_no_code() -> None:
    rng = np.random.default_rng(5)
    for kind in ("brushed", "granular"):
        surface = np.clip(drawn_codes.ground(rng, (200, 260), kind), 0, 255).astype(np.uint8)
        assert read_codes(surface, effort="hard") == ()


def test_check_digits() -> None:
    assert modulo10("4006381333931") and not modulo10("4006381333932")
    assert check_digit("4006381333931", "EAN13") is True
    assert check_digit("15400141288763", "ITF") is True and check_digit("15400141288764", "ITF") is False
    assert check_digit("1234", "ITF") is None and check_digit("4006381333931", "Code128") is None


@given(st.text("0123456789", min_size=7, max_size=17), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(body: str, off: int) -> None:
    last = next(d for d in "0123456789" if modulo10(body + d))
    assert not modulo10(body[:-1] + str((int(body[-1]) + off) % 10) + last)


def test_gs1_fields_say_what_they_are() -> None:
    found = fields("(01)04012345678901(17)270131(10)L123-A(3103)001500(99)x")
    assert [(f.identifier, f.name, f.value, f.right) for f in found] == [
        ("01", "article", "04012345678901", True), ("17", "expiry date", "270131", True),
        ("10", "lot", "L123-A", None), ("3103", "measure", "001500", None), ("99", "", "x", None)]
    assert fields("(01)04012345678902(17)271331")[0].right is False
    assert fields("(17)271331")[0].right is False
    assert fields("L123-A") == ()


def test_a_gs1_code_answers_for_lot_serial_and_date() -> None:
    import zxingcpp

    made = zxingcpp.create_barcode("(01)04012345678901(17)270131(10)L123-A(21)S77", zxingcpp.BarcodeFormat.DataMatrix,
                                   gs1=True)
    drawn = np.asarray(zxingcpp.write_barcode_to_image(made, scale=5))
    picture = np.full((300, 400, 3), 190, np.uint8)
    picture[40:40 + drawn.shape[0], 60:60 + drawn.shape[1]] = drawn[..., None]
    assert [f.name for f in read(picture).codes[0].fields] == ["article", "expiry date", "lot", "serial"]
    assert read(picture, "lot").best == "L123-A" and read(picture, "serial").best == "S77"
    assert read(picture, "date").best == "270131"


def test_a_wrong_check_digit_is_said() -> None:
    import zxingcpp

    made = zxingcpp.create_barcode("15400141288764", zxingcpp.BarcodeFormat.ITF)
    drawn = np.asarray(zxingcpp.write_barcode_to_image(made, scale=2, add_quiet_zones=True))
    picture = np.full((300, 600, 3), 200, np.uint8)
    picture[40:40 + drawn.shape[0], 60:60 + drawn.shape[1]] = drawn[..., None]
    result = read(picture)
    assert result.codes[0].checked is False and not result.sure
    assert result.note == "uncertain: the code's check digit or date is wrong; look at it in a zoom"
