"""Prompt files: the same keys and variables in both languages, a manifest that is true, and strict rendering."""

import json
import re
from itertools import product
from pathlib import Path

import pytest
import yaml
from jinja2 import UndefinedError, meta

import agent
from agent.prompting import ENV, read, render, sha256, word
from agent.reasons import explain, told
from agent.wording import JAPANESE, language, reply
from kenpin.contracts.verdict import DefectType, Verdict
from prompts import manifest
from tools.compare import REASONS as COMPARE
from tools.counting.sure import WORDS as COUNT
from tools.detection.outcome import REASONS as DETECT

LANGUAGES = ("en", "ja")
CODES = (
    "quality.failed:1:blur+glare", "quality.unchecked", "search.undecided:2", "search.altered:3", "nothing.searched", "findings.weak",
    "limit.close:scratch.length<=25mm", "limit.unmeasured:hole.diameter=5.9..6.1mm", "limit.unit:length<=25mm",
    "limit.steps:32", "limit.seconds:180", "limit.invalid:3", "claim.unverified:45.7", "claim.contradicts:passes",
    "step.refused:2:zoom", "step.failed:3:detect", "count.unsure:4",
)  # fmt: skip


def variables(lang: str) -> dict[str, set[str]]:
    """The variables of each answer template."""
    texts = yaml.safe_load(read(f"answers/{lang}.yaml"))
    return {key: meta.find_undeclared_variables(ENV.parse(text)) for key, text in texts.items()}


def test_the_manifest_is_true() -> None:
    stored = json.loads((Path(manifest.__file__).parent / "manifest.json").read_text(encoding="utf-8"))

    assert stored == manifest.digest(), "run: make manifest"


def test_the_sha256_of_a_prompt_is_that_of_its_file() -> None:
    files = manifest.digest()["files"]

    assert isinstance(files, dict) and all(sha256(name) == digest for name, digest in files.items())
    assert {"answers/en.yaml", "answers/ja.yaml", "planner/en.md", "planner/ja.md"} <= files.keys()


def test_both_languages_have_the_same_answers() -> None:
    english, japanese = variables("en"), variables("ja")

    assert english == japanese


def test_both_prompts_of_the_planner_have_the_same_variables() -> None:
    english, japanese = (meta.find_undeclared_variables(ENV.parse(read(f"planner/{lang}.md"))) for lang in LANGUAGES)

    assert english == japanese


def test_every_word_is_there_in_both_languages() -> None:
    words = yaml.safe_load(read("answers/words.yaml"))

    assert [name for name, word_ in words.items() if set(word_) != {"en", "ja"} or not all(word_.values())] == []
    for name, lang in product([*DefectType, *(f"v.{v}" for v in Verdict)], LANGUAGES):
        assert name in words and word(str(name), lang)
    assert word("no such name", "ja") == "no such name"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("code", CODES)
def test_every_reason_is_told_in_words(code: str, lang: str) -> None:
    told = explain(code, lang)

    assert told != code and told.endswith("." if lang == "en" else "。") and "{" not in told


def test_the_codes_of_the_source_are_all_told() -> None:
    kinds = "quality|search|nothing|findings|limit|claim|step|count"
    source = "".join(
        Path(agent.__path__[0], f"{name}.py").read_text()
        for name in ("policy", "evidence", "tolerance", "conclude", "record")
    )
    heads = {code for code in re.findall(rf'"((?:{kinds})\.[a-z]+)', source) if code != "limit.unknown"}

    assert heads <= {code.partition(":")[0] for code in CODES}


def test_every_reason_of_a_tool_is_told_in_both_languages() -> None:
    codes = {**DETECT, **COMPARE}

    for code in codes:
        english, japanese = (told({"reason_code": code}, lang) for lang in LANGUAGES)
        assert english.endswith(".") and japanese.endswith("。") and JAPANESE.search(japanese)
    assert told({"reason_code": "of a later version", "reason": "as the tool says"}, "ja") == "as the tool says"


def test_every_cause_of_a_count_is_told_in_both_languages() -> None:
    for key in COUNT:
        english, japanese = (told({"causes": [f"{key}:3"], "reason": "?"}, lang) for lang in LANGUAGES)
        assert english == COUNT[key].format(3) and JAPANESE.search(japanese) and ("3" in japanese) == ("3" in english)
    assert told({"causes": ["of a later version"], "reason": "as the tool says"}, "ja") == "as the tool says"


def test_an_unknown_reason_stays_as_it_is() -> None:
    assert explain("vllm.timeout:3", "en") == "vllm.timeout:3"


def test_a_missing_variable_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("step.failed", "en", tool="zoom")


def test_a_template_cannot_reach_out() -> None:
    with pytest.raises(Exception, match=r"unsafe|Security"):
        ENV.from_string("{{ ''.__class__.__mro__[1].__subclasses__() }}").render()


def test_values_are_never_templates() -> None:
    assert "{{ 7 * 7 }}" in render("step.failed", "en", tool="zoom", step=1, error="{{ 7 * 7 }}")


@pytest.mark.parametrize(
    ("lang", "say", "answered"),
    [
        ("auto", "Look for scratches", "en"), ("auto", "傷を探して", "ja"), ("auto", "キズ", "ja"), ("auto", "ｷｽﾞ", "ja"),
        ("auto", "scratch 傷", "ja"), ("auto", "", "en"), ("auto", "25 mm?", "en"), ("en", "傷を探して", "en"), ("ja", "Look", "ja"),
    ],
)  # fmt: skip
def test_the_language_of_the_answer(lang: str, say: str, answered: str) -> None:
    assert language(lang, say) == answered
    assert reply("ask.enhance", lang, say) == render("ask.enhance", answered)
