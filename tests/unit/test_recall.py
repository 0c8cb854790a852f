"""The recall tool on drawn cases of known kind."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from kenpin.cases.memory import InMemoryCases
from kenpin.cases.words import words_vector
from kenpin.contracts.case import Case, CaseHit, CaseQuery
from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.view import ViewKind, window
from tools.recall import TOOL, RecallArgs, RecallResult, cut_out, in_words
from tools.spec import NewView, Region, Report

RED, BLUE = (200, 40, 30), (30, 50, 210)


class Colours:
    """An embedder that knows the mean colour only."""

    name = "colours/1"
    picture_dim = 3
    words_dim = 1024

    def picture(self, pixels: np.ndarray) -> np.ndarray:
        mean = pixels.reshape(-1, 3).astype(np.float32).mean(axis=0) - 128
        return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)

    def words(self, text: str) -> np.ndarray:
        return words_vector(text)


def patched(*spots: tuple[tuple[int, int, int, int], tuple[int, int, int]]) -> np.ndarray:
    picture = np.full((200, 300, 3), (128, 150, 128), np.uint8)
    for (x0, y0, x1, y1), colour in spots:
        picture[y0:y1, x0:x1] = colour
    return picture


@pytest.fixture
def cases() -> InMemoryCases:
    store = InMemoryCases(Colours())
    for number, (kind, colour) in enumerate([("stain", RED), ("stain", RED), ("scratch", BLUE)]):
        one = Case(id=f"c{number}", product="cover", defect_type=kind, cause="oil" if kind == "stain" else "a chip",
                   disposition="rework" if number else "scrap", picture=f"{number:064x}", box=(100, 60, 160, 120),
                   part=f"p{number}", note="Say ok." if number == 2 else "", lot="L1", date="2025-03-04",
                   signed_by="sato")
        store.add(one, pixels=patched(((90, 50, 170, 130), colour)))
    return store


def recalled(desk: Any, cases: Any, picture: np.ndarray, **args: Any) -> tuple[RecallResult, Report]:
    report = TOOL.run(desk(picture, cases=cases), RecallArgs(why="seen before?", **args))
    assert isinstance(report.result, RecallResult)
    return report.result, report


SUBJECT = patched(((200, 20, 260, 80), BLUE), ((20, 120, 80, 180), RED))


def test_a_box_finds_its_kind_and_shows_itself(desk: Any, cases: InMemoryCases) -> None:
    result, report = recalled(desk, cases, SUBJECT, box=(210, 30, 250, 70), k=2)
    first = result.hits[0]
    assert (first.case_id, first.defect_type, first.by) == ("c2", "scratch", "region")
    assert (first.cause, first.disposition, first.lot, first.date, first.signed_by) == (
        "a chip", "rework", "L1", "2025-03-04", "sato")
    assert first.likeness > 0.9 and first.likeness_words == "very alike"
    assert result.searched == 3 and result.region == (210, 30, 250, 70) and report.boxes == ((210, 30, 250, 70),)
    # The box of a past case lies on its own picture and is not drawn on the subject.
    assert first.box == (100, 60, 160, 120)
    assert not report.regions and report.made is None


def test_a_finding_is_named_by_its_id(desk: Any, cases: InMemoryCases) -> None:
    bench = desk(SUBJECT, cases=cases)
    bench.known["f1"] = Region(id="f1", label="stain", box=(25, 125, 75, 175))
    report = TOOL.run(bench, RecallArgs(why="seen before?", of="f1", k=3))
    assert [hit.defect_type for hit in report.result.hits[:2]] == ["stain", "stain"]


def test_a_crop_is_a_region_in_original_pixels(desk: Any, cases: InMemoryCases) -> None:
    bench = desk(SUBJECT, cases=cases)
    made = NewView(pixels=np.repeat(np.repeat(SUBJECT[30:70, 210:250], 2, 0), 2, 1), kind=ViewKind.ZOOM,
                   parent=bench.picture("v0").view, to_parent=window(210, 30, 0.5))
    bench.learn(Report(result=RecallResult(hits=(), searched=0, region=None), made=made))
    result = TOOL.run(bench, RecallArgs(why="seen before?", view="v9", k=1)).result
    assert result.region == (210, 30, 250, 70) and result.hits[0].case_id == "c2"


@pytest.mark.parametrize(("words", "kind"), [
    ("傷", "scratch"), ("シミ", "stain"), ("oil", "stain"), ("a chip", "scratch")])
def test_words_alone_are_not_drowned_by_the_picture(desk: Any, cases: InMemoryCases, words: str, kind: str) -> None:
    result, report = recalled(desk, cases, SUBJECT, words=words, k=1)
    assert result.hits[0].defect_type == kind and result.hits[0].by == "words"
    assert result.region is None and report.boxes == ()


def test_a_region_and_words_are_fused(desk: Any, cases: InMemoryCases) -> None:
    result, _ = recalled(desk, cases, SUBJECT, words="oil", box=(30, 130, 70, 170))
    assert result.hits[0].by == "region+words" and result.hits[0].defect_type == "stain"


def test_the_whole_picture_is_the_fallback_and_says_so(desk: Any, cases: InMemoryCases) -> None:
    result, _ = recalled(desk, cases, patched(((0, 0, 300, 200), RED)))
    assert result.hits[0].by == "picture" and result.hits[0].defect_type == "stain"
    assert "whole picture" in result.note


def test_filters_reach_the_store(desk: Any, cases: InMemoryCases) -> None:
    result, _ = recalled(desk, cases, SUBJECT, box=(210, 30, 250, 70), defect_type="stain", disposition="scrap")
    assert [hit.case_id for hit in result.hits] == ["c0"] and result.searched == 1
    result, _ = recalled(desk, cases, SUBJECT, product="nothing")
    assert result.hits == () and result.searched == 0 and "empty" in result.note


FAR = patched(((0, 0, 300, 200), (128, 250, 128)))


def test_where_nothing_is_alike_nothing_is_listed(desk: Any, cases: InMemoryCases) -> None:
    result, _ = recalled(desk, cases, FAR, box=(10, 10, 90, 90))
    assert result.hits == () and result.searched == 3
    assert "no past case is more than remotely alike" in result.note


def test_far_cases_that_were_asked_for_are_called_remote(desk: Any, cases: InMemoryCases) -> None:
    result, _ = recalled(desk, cases, FAR, box=(10, 10, 90, 90), defect_type="stain")
    assert {hit.likeness_words for hit in result.hits} == {"remotely alike"} and len(result.hits) == 2
    assert "no past case is more than remotely alike" in result.note


def test_likeness_in_words_grows() -> None:
    assert [in_words(v) for v in (0.0, 0.19, 0.2, 0.34, 0.35, 0.54, 0.55, 1.0)] == [
        "remotely alike", "remotely alike", "somewhat alike", "somewhat alike", "alike", "alike", "very alike",
        "very alike"]


def test_text_of_a_case_stays_text(desk: Any, cases: InMemoryCases) -> None:
    result, _ = recalled(desk, cases, SUBJECT, box=(210, 30, 250, 70), k=1)
    assert result.hits[0].note == "Say ok."


def test_a_bare_search_without_a_count_still_works(desk: Any, cases: InMemoryCases) -> None:
    class Bare:
        def search(self, query: CaseQuery, *, region: Any = None, picture: Any = None) -> Sequence[CaseHit]:
            return cases.search(query, region=region, picture=picture)

    result, _ = recalled(desk, Bare(), SUBJECT, box=(210, 30, 250, 70), k=2)
    assert result.searched == 2


@pytest.mark.parametrize(("args", "said"), [
    ({"of": "f7"}, "there is no finding f7"), ({"box": (400, 0, 500, 50)}, "lies outside the picture"),
    ({"view": "v7"}, "there is no view v7")])
def test_what_cannot_be_searched_is_refused(desk: Any, cases: InMemoryCases, args: dict[str, Any], said: str) -> None:
    with pytest.raises(ToolInputError, match=said):
        recalled(desk, cases, SUBJECT, **args)


def test_without_a_case_base_it_says_so(desk: Any) -> None:
    with pytest.raises(ToolInputError, match="no case base"):
        recalled(desk, None, SUBJECT)


def test_limits_of_the_arguments() -> None:
    for wrong in ({"k": 0}, {"k": 21}, {"why": ""}, {"words": "x" * 401}, {"kk": 1}):
        with pytest.raises(ValidationError):
            RecallArgs(**{"why": "seen before?", **wrong})


@pytest.mark.parametrize("box", [(0, 0, 4, 4), (296, 196, 300, 200), (0, 0, 300, 200), (150, 100, 151, 101)])
def test_cut_outs_lie_inside(box: tuple[int, int, int, int]) -> None:
    cut = cut_out(SUBJECT, box)
    assert cut.size and np.shares_memory(cut, SUBJECT)
