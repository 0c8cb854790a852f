"""The words of the screens: same keys and placeholders in both languages, none missing, none left over."""

import re
import string
from pathlib import Path

import pytest

from kenpin.contracts.verdict import DefectType
from tools.catalog import CATALOG
from ui.i18n import LANGUAGES, Language, texts_of
from ui.parts.plain import cited, one_line, plain
from ui.parts.results import box_words, number, quantity

UI = Path(__file__).parents[2] / "ui"
FAMILIES = ("tool", "arg", "choice", "field", "quantity", "kind", "problem", "planner", "suggest", "rule",
            "verdict", "answer", "step", "viewer", "case", "material", "role",
            "state", "adapterstate", "severity", "meaning", "decision", "mark")
"""Keys of these families are put together at run time."""


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    english, japanese = texts_of("en").words, texts_of("ja").words
    assert english.keys() == japanese.keys()
    assert {k: placeholders(v) for k, v in english.items()} == {k: placeholders(v) for k, v in japanese.items()}


def test_no_text_is_empty_or_untranslated() -> None:
    english, japanese = texts_of("en").words, texts_of("ja").words
    assert all(english.values())
    assert all(japanese.values())
    same = {k for k in english if english[k] == japanese[k]}
    assert same <= {"picture.size", "picture.scale", "picture.scale_found", "verdict.ok", "choice.px", "choice.mm",
                    "mark.ok", "mark.ng"}


def test_every_key_is_used_and_every_used_key_exists() -> None:
    source = "\n".join(p.read_text(encoding="utf-8") for p in UI.rglob("*.py"))
    literal = set(re.findall(r"""["']([a-z]+\.[a-z_0-9]+)["']""", source))
    direct = set(re.findall(r"""\bt(?:\.raw)?\(\s*["']([a-z]+\.[a-z_0-9]+)["'][,)]""", source))
    known = set(texts_of("en").words)
    assert len(direct) > 40
    assert direct <= known
    assert {k for k in known - literal if k.partition(".")[0] not in FAMILIES} == set()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_tool_and_defect_type_has_a_word(lang: Language) -> None:
    words = texts_of(lang).words
    assert {f"tool.{name}" for name in (*CATALOG, "ask", "answer")} <= words.keys()
    assert {f"kind.{kind}" for kind in DefectType} <= words.keys()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_argument_and_listed_choice_of_a_tool_has_a_word(lang: Language) -> None:
    words = texts_of(lang).words
    names = {name for tool in CATALOG.values() for name in tool.schema()["properties"]} - {"why"}
    assert {f"arg.{name}" for name in names} <= words.keys()


def test_values_are_escaped_and_our_own_words_are_not() -> None:
    t = texts_of("en")
    assert t("after.retry", text="**x** <b>") == "Try again: \\*\\*x\\*\\* \\<b\\>"
    assert t.raw("after.retry", text="**x**") == "Try again: **x**"


@pytest.mark.parametrize("text", [
    "# title", "1. one", "- dash", "[a](https://b.invalid)", "<img src=x>", "$x^2$", "`code`", "a_b_c", "| a | b |",
    "\\", ":red[x]", "> quote", "~~x~~", "&lt;", "![x](y)", "==x=="])
def test_plain_leaves_no_markup(text: str) -> None:
    escaped = plain(text)
    assert escaped.replace("\u2060", "").replace("\\", "") == text.replace("\\", "")
    assert re.search(r"(?<!\\)[`*_{}\[\]#|<>$~!]", escaped) is None


@pytest.mark.parametrize("text", [":smile:", ":material/delete:", "https://a.invalid", "www.a.invalid", "a@b.invalid"])
def test_plain_breaks_what_is_found_after_escapes_are_undone(text: str) -> None:
    assert "\u2060" in plain(text)


def test_plain_keeps_lines_and_indent() -> None:
    assert plain("a\n    b") == "a  \n\u00a0\u00a0\u00a0\u00a0b"


def test_citations_become_links_and_unknown_ones_are_marked() -> None:
    shown = cited("Found [2], and [9].", {1, 2})
    assert "[\\[2\\]](#step-2)" in shown
    assert "#step-9" not in shown
    assert ":orange-background[:material/link_off: \\[9\\]]" in shown


def test_doubtful_claims_are_marked_as_whole_words() -> None:
    shown = cited("45.6 mm and 145.6 mm", (), doubtful=("45.6",))
    assert shown.count("link_off") == 1
    assert shown.startswith(":orange-background")


@pytest.mark.parametrize(("value", "unit", "uncertainty", "shown"), [
    (28.8, "mm", 0.3, "28.80 ± 0.30 mm"), (182.53, "px", 1.2, "182.5 ± 1.2 px"), (12, "", 0.0, "12"),
    (45.61, "deg", 0.25, "45.61 ± 0.25°"), (1234.5, "mm2", 12.0, "1234 ± 12 mm²"), (0.01234, "mm", None, "0.01234 mm")])
def test_measures_are_written_to_the_digits_of_their_uncertainty(value: float, unit: str, uncertainty: float | None,
                                                                 shown: str) -> None:
    assert quantity(value, unit, uncertainty) == shown


def test_small_words() -> None:
    assert number(3.0) == "3"
    assert number(0.123456) == "0.1235"
    assert box_words([1, 2, 3, 4]) == "[1, 2, 3, 4]"
    assert one_line("a\n b" + "c" * 200, most=10) == "a bcccccc…"
