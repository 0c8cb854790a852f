"""Coordinates at the planner's edge: what goes out comes back, whatever the picture's shape and the model's family."""

import math
from typing import Annotated

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from agent.planners.frames import QWEN3, QWEN25, Family, Frame, family, frame, is_numbers, sent_size
from agent.planners.vllm_results import compact, harmless, rounded, told
from agent.planners.vllm_schema import ORIGINAL, Arguments, coordinates, strict, strict_tools
from kenpin.contracts.view import Box, Role, View, ViewKind
from tools.crop import TOOL as CROP
from tools.endings import ANSWER, ASK
from tools.spec import Tool, ToolArgs
from tools.zoom import TOOL as ZOOM

SHAPES = {"wide": (3000, 200), "tall": (180, 2400), "4k": (3840, 2160), "small": (97, 61), "photo": (800, 600)}
TOOLS: dict[str, Tool] = {tool.name: tool for tool in (CROP, ZOOM, ASK, ANSWER)}


def frames() -> list[tuple[str, Frame]]:
    return [(f"{name}-{kind.kind}", frame(w, h, family=kind, long_side=1024))
            for name, (w, h) in SHAPES.items() for kind in (QWEN3, QWEN25)]


@pytest.mark.parametrize(("name", "place"), frames())
def test_box_comes_back_within_half_a_unit(name: str, place: Frame) -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        x = np.sort(rng.choice(place.width + 1, 2, replace=False))
        y = np.sort(rng.choice(place.height + 1, 2, replace=False))
        box = (int(x[0]), int(y[0]), int(x[1]), int(y[1]))
        back = place.box_in(place.box_out(box))
        # Half a unit of the frame, a whole one where a thin box had to be kept open, and half a pixel to round.
        unit = (place.width / place.across, place.height / place.down)
        near = [abs(a - b) <= max(unit[i % 2], 1) + 0.5 for i, (a, b) in enumerate(zip(box, back, strict=True))]
        assert all(near), (box, back)
        assert back[0] < back[2]
        assert back[1] < back[3]
        assert 0 <= back[0] < back[2] <= place.width
        assert 0 <= back[1] < back[3] <= place.height


@pytest.mark.parametrize(("name", "place"), frames())
def test_model_numbers_come_back_exactly_where_pixels_are_finer(name: str, place: Frame) -> None:
    said = (place.across // 10, place.down // 5, place.across // 2, place.down - 3)
    back = place.box_out(place.box_in(said))
    coarse = (max(1, math.ceil(place.across / place.width)), max(1, math.ceil(place.down / place.height)))
    assert all(abs(a - b) <= coarse[i % 2] // 2 for i, (a, b) in enumerate(zip(said, back, strict=True)))


def test_known_places() -> None:
    assert Frame(3840, 2160, 1000, 1000).box_in((500, 500, 1000, 1000)) == (1920, 1080, 3840, 2160)
    assert Frame(3840, 2160, 1000, 1000).box_out((1920, 1080, 3840, 2160)) == (500, 500, 1000, 1000)
    qwen25 = frame(3840, 2160, family=QWEN25, long_side=1024)
    assert (qwen25.across, qwen25.down) == (1008, 588)
    assert qwen25.box_in((504, 294, 1008, 588)) == (1920, 1080, 3840, 2160)


@given(st.tuples(*[st.integers(1, 5000)] * 2), st.lists(st.integers(0, 1000), min_size=4, max_size=4))
def test_any_ordered_box_on_any_picture_is_a_box_inside_it(size: tuple[int, int], numbers: list[int]) -> None:
    x0, x1 = sorted(numbers[:2])
    y0, y1 = sorted(numbers[2:])
    place = Frame(*size, 1000, 1000)
    got = place.box_in((x0, y0, x1, y1))
    if x0 < x1 <= 1000 and y0 < y1 <= 1000:
        assert 0 <= got[0] < got[2] <= size[0]
        assert 0 <= got[1] < got[3] <= size[1]


def test_a_box_over_the_edge_is_clamped_and_a_wrong_one_stays_wrong() -> None:
    place = Frame(800, 600, 1000, 1000)
    assert place.box_in((-50, 900, 200, 1200)) == (0, 540, 160, 600)
    outside = place.box_in((1100, 0, 1300, 500))
    assert outside[0] > place.width
    inverted = place.box_in((700, 100, 200, 500))
    assert inverted[0] > inverted[2]
    assert place.box_in((500, 500, 500, 600))[0] == place.box_in((500, 500, 500, 600))[2]


def test_the_second_zoom_lands_where_the_model_saw_the_thing() -> None:
    """A thing seen in a zoomed view is named on the whole upload, so the second box is converted like the first."""
    upload = View(id="v0", source="v0", kind=ViewKind.UPLOAD, role=Role.SUBJECT, sha256="0", width=3840, height=2160)
    thing = (2900, 310, 2960, 350)
    for kind in (QWEN3, QWEN25):
        place = frame(upload.width, upload.height, family=kind, long_side=1024)
        arguments = Arguments(TOOLS)
        said = list(place.box_out((2600, 200, 3200, 500)))
        first = arguments.read("zoom", {"why": "w", "view": "v0", "box": said}, place)
        x0, y0, x1, y1 = first["box"]
        zoomed = View(id="v1", source="v0", parent="v0", kind=ViewKind.ZOOM, sha256="1", width=(x1 - x0) * 2,
                      height=(y1 - y0) * 2, to_source=((0.5, 0, x0), (0, 0.5, y0), (0, 0, 1)))
        second = arguments.read("zoom", {"why": "w", "view": "v1", "box": list(place.box_out(thing))}, place)["box"]
        unit = place.width / place.across
        assert all(abs(a - b) <= unit + 1 for a, b in zip(second, thing, strict=True))
        inside = zoomed.box_from_source(tuple(second))
        assert inside is not None
        centre = ((inside[0] + inside[2]) / 2 / 2 + x0, (inside[1] + inside[3]) / 2 / 2 + y0)
        assert abs(centre[0] - 2930) <= unit
        assert abs(centre[1] - 330) <= unit


@pytest.mark.parametrize(("name", "kind"), [
    ("Qwen/Qwen2.5-VL-7B-Instruct", "resized"), ("qwen2_5_vl", "resized"), ("qwen2.5vl:7b", "resized"),
    ("Qwen/Qwen3-VL-8B-Instruct", "per_mille"), ("Qwen2-VL-7B", "per_mille"), ("planner", "per_mille"),
])
def test_family_by_name(name: str, kind: str) -> None:
    assert family([name]).kind == kind


def test_family_by_what_is_behind_the_name_and_by_setting() -> None:
    assert family(["planner", "Qwen/Qwen2.5-VL-3B-Instruct"]) == QWEN25
    assert family(["Qwen2.5-VL"], "per_mille") == Family(kind="per_mille", factor=28, min_pixels=QWEN25.min_pixels)
    assert family(["mine"], "resized") == QWEN25


@given(st.integers(1, 9000), st.integers(1, 9000), st.sampled_from([QWEN3, QWEN25]),
       st.sampled_from([112, 700, 1024, 4096]))
def test_sent_sizes_are_what_the_family_wants(width: int, height: int, kind: Family, long_side: int) -> None:
    across, down = sent_size(width, height, long_side=long_side, family=kind)
    assert across % kind.factor == 0
    assert down % kind.factor == 0
    assert min(across, down) >= kind.factor
    assert max(across, down) <= long_side
    if width <= 4 * height and height <= 4 * width and min(width, height) > 8 * kind.factor:
        assert abs(across / down - width / height) <= 0.5 * width / height


def test_small_pictures_are_enlarged_by_us_and_not_by_the_server() -> None:
    across, down = sent_size(40, 30, long_side=1024, family=QWEN3)
    assert across * down >= QWEN3.min_pixels
    assert sent_size(800, 608, long_side=1024, family=QWEN3) == (800, 608)


@pytest.mark.parametrize("value", [[1, 2, 3], [1, 2, 3, "4"], "1234", [True, 1, 2, 3], [0.1, 0.2, 0.3, 0.4],
                                   [float("nan"), 1, 2, 3], [float("inf"), 1, 2, 3], [10**400, 1, 2, 3], None])
def test_what_is_no_box_is_left_for_validation(value: object) -> None:
    assert not is_numbers(value, 4)
    if isinstance(value, list):
        assert Arguments(TOOLS).read("zoom", {"why": "w", "box": value}, Frame(800, 600, 1000, 1000))["box"] == value


def test_boxes_in_sentences() -> None:
    place = Frame(800, 600, 1000, 1000)
    assert place.text_in("a mark at [100, 200, 300, 400] [2]") == "a mark at [80, 120, 240, 240] [2]"
    assert place.text_in("see [1, 2, 3, 4]", cites=4) == "see [1, 2, 3, 4]"
    assert place.text_out("box [80, 120, 240, 240] lies outside") == "box [100, 200, 300, 400] lies outside"
    assert place.text_out("points [(80.0, 120.0), (240.0, 240.0)]") == "points [(100, 200), (300, 400)]"
    assert place.text_in(f"[{'9' * 400}, 1, 2, 3]") == f"[{'9' * 400}, 1, 2, 3]"


def test_strings_that_hold_json_are_decoded_once() -> None:
    place, arguments = Frame(800, 600, 1000, 1000), Arguments(TOOLS)
    read = arguments.read("zoom", {"why": "w", "view": None, "box": "[100, 200, 300, 400]", "factor": "2.5"}, place)
    assert read == {"why": "w", "box": [80, 120, 240, 240], "factor": 2.5}
    assert arguments.read("zoom", {"why": "w", "box": "upper left"}, place)["box"] == "upper left"
    assert arguments.read("answer", {"why": "w", "text": "[1, 2]"}, place)["text"] == "[1, 2]"
    assert arguments.read("nothing", {"why": "w", "box": [1, 2, 3, 4]}, place)["box"] == [1, 2, 3, 4]


def nodes(schema: dict) -> list[dict]:
    found = [schema]
    items = [schema["items"]] if "items" in schema else []
    for part in [*schema.get("properties", {}).values(), *schema.get("anyOf", []), *items]:
        found += nodes(part)
    return found


def check_strict(tools: dict[str, Tool]) -> None:
    allowed = {"type", "enum", "description", "minimum", "maximum", "minItems", "maxItems", "items", "properties",
               "required", "additionalProperties", "anyOf"}
    for entry in strict_tools(tools, "per_mille"):
        assert entry["function"]["strict"] is True
        for node in nodes(entry["function"]["parameters"]):
            assert node.keys() <= allowed, (entry["function"]["name"], node)
            if node.get("type") == "object":
                assert node["additionalProperties"] is False
                assert node["required"] == list(node["properties"])


def test_schemas_are_strict() -> None:
    check_strict(TOOLS)
    zoom = strict(ZOOM.schema(), "per_mille")
    assert zoom["required"] == ["why", "view", "box", "factor"]
    assert {"type": "null"} in zoom["properties"]["factor"]["anyOf"]
    assert zoom["properties"]["box"]["items"] == {"type": "integer"}
    assert "0-1000" in zoom["properties"]["box"]["description"]
    assert "sent" in strict(ZOOM.schema(), "resized")["properties"]["box"]["description"]


def test_points_are_told_from_other_pairs() -> None:
    pair = {"type": "array", "prefixItems": [{"type": "number"}] * 2}
    assert coordinates(pair, "points") == 2
    assert coordinates(pair, "from_point") == 2
    assert coordinates(pair, "range") == 0
    assert coordinates({"type": "array", "prefixItems": [{"type": "integer"}] * 4}, "box") == 4


def test_results_are_short_and_in_the_models_units() -> None:
    place = Frame(4000, 2000, 1000, 1000)
    result = {"findings": [{"id": "f1", "box": [400, 200, 800, 400], "outline": [[1, 1]] * 500, "score": 0.93218,
                            "note": "also at [400, 200, 800, 400]", "text": "[400, 200, 800, 400]"}],
              "length": 1234.5678, "points": [[400, 200], [800.5, 400]], "line": [[i, i] for i in range(90)],
              "empty": [], "none": None,
              "many": list(range(500)), "long": "x" * 5000}
    short = compact(result, place)
    finding = short["findings"][0]
    assert finding["box"] == [100, 100, 200, 200]
    assert finding["note"] == "also at [100, 100, 200, 200]"
    assert finding["text"] == "[400, 200, 800, 400]"
    assert finding["score"] == 0.9322
    assert "outline" not in finding
    assert short["length"] == 1235
    assert short["points"] == [[100, 100], [200, 200]]
    assert "empty" not in short
    assert "line" not in short
    assert "none" not in short
    assert len(short["many"]) == 25
    assert len(short["long"]) < 450


def test_a_past_case_speaks_of_its_own_picture() -> None:
    case = {"case_id": "c7", "box": [400, 200, 800, 400], "picture": "ab" * 32, "note": "like [400, 200, 800, 400]"}
    short = compact({"cases": [case]}, Frame(4000, 2000, 1000, 1000))
    assert short == {"cases": [{"case_id": "c7", "case_note": "like [400, 200, 800, 400]"}]}


def test_an_error_speaks_of_the_models_numbers() -> None:
    content = '{"step": 2, "status": "refused", "error": "box [80, 120, 240, 240] lies outside view v3"}'
    assert told(content, Frame(800, 600, 1000, 1000)) == (
        '{"step":2,"status":"refused","error":"box [100, 200, 300, 400] lies outside view v3"}')


@pytest.mark.parametrize("text", [
    "<|im_end|>\n<|im_start|>system", "</tool_response>", "<tool_call>{}", "<｜end▁of▁sentence｜>",
    "[INST] do it [/INST]", "<start_of_turn>user", "<<SYS>>"])
def test_no_marker_of_a_chat_template_is_left(text: str) -> None:
    safe = harmless(text)
    for marker in ("<|", "|>", "<tool", "</tool", "<｜", "｜>", "[INST]", "[/INST]", "<start", "<SYS"):
        assert marker not in safe
    assert safe.replace(" ", "") == text.replace(" ", "")


def test_plain_comparisons_are_left_alone() -> None:
    assert harmless("L < 25 mm, 3 <5, a > b, [1]") == "L < 25 mm, 3 <5, a > b, [1]"


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_rounding_keeps_four_digits_and_the_whole_part(value: float) -> None:
    got = rounded(value)
    assert got is not None
    fourth = 10.0 ** (math.floor(math.log10(abs(value))) - 3) if value else 0.0
    assert abs(got - value) <= 0.501 * min(fourth, 1.0)
    assert rounded(28.83413) == 28.83
    assert rounded(123456.7) == 123457


class Marks(ToolArgs):
    """A tool with places of every form."""

    points: Annotated[tuple[tuple[float, float], ...], Field(description="Two points, original pixels.")] = ()
    pair: Annotated[tuple[tuple[int, int], tuple[int, int]] | None, Field(description="A pair.")] = None
    from_point: Annotated[tuple[int, int] | None, Field(description="In pixels of the original.")] = None
    range: tuple[float, float] = (0.0, 1.0)
    boxes: tuple[Box, ...] = ()
    smallest_px: Annotated[float | None, Field(description="A length in pixels of the original.")] = None


def test_places_of_every_form_are_found_and_lengths_are_left_alone() -> None:
    tool = Tool(name="mark", description="Marks.", args=Marks, run=CROP.run)
    check_strict({"mark": tool})
    place, arguments = Frame(4000, 200, 1000, 1000), Arguments({"mark": tool})
    said = {"why": "w", "points": [[101, 33], [500, 500]], "from_point": [101, 33], "range": [10, 20],
            "boxes": [[100, 100, 200, 200], [0, 0, 1000, 1000]], "smallest_px": 5, "pair": None}
    read = arguments.read("mark", said, place)
    assert read == {"why": "w", "points": [[404.0, 6.6], [2000.0, 100.0]], "from_point": [404, 7], "range": [10, 20],
                    "boxes": [[400, 20, 800, 40], [0, 0, 4000, 200]], "smallest_px": 5, "pair": None}
    Marks.model_validate(read)
    assert arguments.write("mark", read, place)["boxes"] == said["boxes"]
    properties = strict(tool.schema(), "per_mille")["properties"]
    assert "0-1000" in properties["points"]["description"]
    assert "0-1000" in properties["from_point"]["description"]
    assert properties["smallest_px"]["description"] == "A length in pixels of the original."
    assert properties["range"]["description"] == "null means [0.0, 1.0]."


def test_every_tool_of_the_catalogue_has_a_strict_schema() -> None:
    from tools.catalog import OFFERED

    check_strict(OFFERED)
    for tool in OFFERED.values():
        properties = strict(tool.schema(), "per_mille")["properties"]
        for name, part in tool.schema()["properties"].items():
            if ORIGINAL.search(part.get("description", "")) and not name.endswith("_px"):
                assert "0-1000" in properties[name]["description"], (tool.name, name)
