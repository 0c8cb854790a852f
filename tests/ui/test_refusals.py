"""The page's words for what services refuse follow what services say."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from ui.parts.refusals import PLACE, in_words, lines

ROOT = Path(__file__).parents[2]
RAISED = {"BadInput", "Locked", "Conflict", "NotAllowed", "SignInRefused", "FileRefused", "Unavailable"}
COMPLETE = ("kenpin/review/service.py", "kenpin/review/making.py", "kenpin/review/signing.py", "kenpin/review/book.py",
            "kenpin/asking.py", "kenpin/adapter_service.py", "kenpin/adapters/checking.py", "kenpin/adapters/keeping.py",
            "kenpin/adapters/server.py", "kenpin/adapters/using.py", "kenpin/adapters/turns.py")
"""Files of which every refusal has its words."""


def template(node: ast.expr) -> str | None:
    """The text of a string or an f-string, `{}` for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
    return None


@cache
def said() -> frozenset[str]:
    """Every text of the code."""
    texts = set()
    for file in [*(ROOT / "kenpin").rglob("*.py"), *(ROOT / "agent").rglob("*.py")]:
        texts |= {template(node) for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
                  if isinstance(node, ast.Constant | ast.JoinedStr)}
    return frozenset(text for text in texts if text)


def shape(line: str) -> str:
    return PLACE.sub("{}", line)


@pytest.mark.parametrize("line", lines())
def test_every_line_is_one_that_the_code_says(line: str) -> None:
    # "{size} px" may be filled by "{width}x{height} px".
    assert shape(line) in said() or any(re.fullmatch(re.escape(shape(line)).replace(r"\{\}", ".+"), t) for t in said())


@pytest.mark.parametrize("file", COMPLETE)
def test_every_refusal_of_a_review_has_its_words(file: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)]
    texts = [template(call.args[0]) for call in raised if call.args and getattr(call.func, "id", "") in RAISED]
    known = {shape(line) for line in lines()}
    assert [text for text in texts if text and text not in known] == []
    assert texts


def test_places_are_filled_and_the_same_in_both_languages() -> None:
    for english, japanese in lines().items():
        assert set(PLACE.findall(english)) == set(PLACE.findall(japanese)), english
    assert in_words("a.png: too many pixels; at most 60 megapixels, cut it", "ja").startswith("a.png: 画素数が多すぎます")
    assert in_words("something else went wrong", "ja") == "something else went wrong"
    assert in_words("the comment is empty; write something", "en") == "the comment is empty; write something"


def test_what_fills_a_place_is_not_read_as_a_place() -> None:
    assert in_words("there is no inspection {id}{0.__class__}", "ja") == "検査 {id}{0.__class__} はありません"
