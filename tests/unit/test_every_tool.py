"""What holds for every tool of the catalogue: it never writes to a picture, repeats itself to the bit, stays inside the
upload, and leads back to it from a view of a view (any chain: test_views_property.py)."""

import json
from contextlib import suppress

import cv2
import numpy as np
import pytest

from kenpin.cases.embed_offline import OfflineEmbedder
from kenpin.cases.memory import InMemoryCases
from kenpin.contracts.case import Case
from kenpin.contracts.errors import ToolInputError
from tools.catalog import CATALOG
from tools.solo import Desk, make_desk

WIDTH, HEIGHT = 420, 320


def scene(seed: int, *, shift: tuple[int, int] = (0, 0), scratched: bool = True):
    """A lit plate with a scratch (or without), three holes, a chessboard and a number, (320, 420, 3) uint8 RGB."""
    rng = np.random.default_rng(seed)
    grey = np.add.outer(np.linspace(150, 165, HEIGHT), np.linspace(0, 10, WIDTH)) + rng.normal(0, 2, (HEIGHT, WIDTH))
    grey = np.clip(grey, 0, 255).astype(np.uint8)
    dx, dy = shift
    if scratched:
        cv2.line(grey, (40 + dx, 60 + dy), (110 + dx, 95 + dy), 70, 2, cv2.LINE_AA)
    for i in range(3):
        cv2.circle(grey, (60 + 50 * i + dx, 250 + dy), 13, 40, -1, cv2.LINE_AA)
    cv2.putText(grey, "A 1234", (200 + dx, 60 + dy), cv2.FONT_HERSHEY_SIMPLEX, 1.1, 30, 2, cv2.LINE_AA)
    grey[130 + dy:290 + dy, 230 + dx:390 + dx] = 235
    for i in range(6):
        for j in range(6):
            if (i + j) % 2 == 0:
                y, x = 150 + 20 * i + dy, 250 + 20 * j + dx
                grey[y:y + 20, x:x + 20] = 25
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)


ARGS: dict[str, dict[str, object]] = {
    "check_image": {}, "crop": {"box": [30, 40, 200, 150]}, "zoom": {"box": [30, 40, 130, 120]},
    "enhance": {"operation": "flatten"}, "detect": {}, "compare": {}, "count": {"what": "hole", "box": [20, 215, 210, 285]},
    "measure": {"quantity": "length", "box": [30, 50, 125, 105]}, "calibrate": {"method": "chessboard", "size_mm": 2.0},
    "read_text": {"box": [190, 20, 360, 80]}, "recall": {"box": [30, 50, 125, 105]},
}
NAMES = sorted(CATALOG)


@pytest.fixture(scope="module")
def cases() -> InMemoryCases:
    store = InMemoryCases(OfflineEmbedder())
    for i, kind in enumerate(("scratch", "pit")):
        box = (30, 50, 125, 105) if kind == "scratch" else (40, 230, 80, 270)
        store.add(Case(id=f"c{i}", product="plate", defect_type=kind, cause="tool", disposition="rework",
                       picture="0" * 64, box=box), pixels=scene(40 + i))
    return store


def bench(seed: int, cases: InMemoryCases, *, golden: bool = True) -> Desk:
    references = (scene(seed + 1, shift=(2, -1), scratched=False),) if golden else ()
    return make_desk(scene(seed), references=references, mm_per_px=0.1, cases=cases)


def ran(name: str, desk: Desk, **more: object):
    tool = CATALOG[name]
    return tool.run(desk, tool.args.model_validate({"why": "to see", **ARGS[name], **more}))


def test_every_tool_is_tried():
    assert set(ARGS) == set(CATALOG)


@pytest.mark.parametrize("name", NAMES)
def test_the_pictures_are_left_as_they_were(name, cases):
    desk = bench(3, cases)
    before = {key: picture.pixels.tobytes() for key, picture in desk.pictures.items()}
    report = ran(name, desk)
    assert {key: picture.pixels.tobytes() for key, picture in desk.pictures.items()} == before
    if report.made is not None:
        assert not np.shares_memory(report.made.pixels, desk.pictures["v0"].pixels) or \
            not report.made.pixels.flags.writeable


@pytest.mark.parametrize("name", NAMES)
def test_the_same_call_gives_the_same_to_the_bit(name, cases):
    first, second = (ran(name, bench(5, cases)) for _ in range(2))
    assert first.result.model_dump_json() == second.result.model_dump_json()
    assert first.boxes == second.boxes and first.regions == second.regions
    pairs = [*zip(first.evidence, second.evidence, strict=True)]
    if first.made is not None and second.made is not None:
        pairs.append((first.made.pixels, second.made.pixels))
    assert all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("name", NAMES)
def test_every_box_lies_on_the_upload_and_the_result_is_plain_data(name, cases):
    report = ran(name, bench(7, cases))
    for x0, y0, x1, y1 in (*report.boxes, *(r.box for r in report.regions)):
        assert 0 <= x0 < x1 <= WIDTH and 0 <= y0 < y1 <= HEIGHT
    assert json.loads(report.result.model_dump_json())


def zoomed(desk: Desk, box: tuple[int, int, int, int], factor: int) -> Desk:
    """`v1`, a crop, and `v2`, its enlargement, made by the tools themselves."""
    desk.learn(ran("crop", desk, box=box), "v8")
    desk.learn(CATALOG["zoom"].run(desk, CATALOG["zoom"].args.model_validate(
        {"why": "nearer", "view": "v8", "box": box, "factor": factor})), "v9")
    return desk


@pytest.mark.parametrize(("name", "box"), [
    ("detect", (20, 30, 190, 130)), ("measure", (20, 40, 140, 120)), ("count", (10, 205, 215, 300)),
    ("read_text", (185, 15, 370, 90)), ("compare", (20, 30, 190, 130))])
def test_a_tool_on_a_view_of_a_view_reports_pixels_of_the_upload(name, box, cases):
    """What a tool finds on a crop that was enlarged lies where it finds it on the upload."""
    direct = ran(name, bench(9, cases, golden=name == "compare"), box=box)
    desk = zoomed(bench(9, cases, golden=name == "compare"), box, 2)
    chained = ran(name, desk, view="v9", box=box)
    assert len(chained.boxes) == len(direct.boxes) > 0
    for a, b in zip(sorted(direct.boxes), sorted(chained.boxes), strict=True):
        # Characters and differences are outlined on other pixels after an enlargement; their middle stays.
        middles = [np.array([box[0] + box[2], box[1] + box[3]]) / 2 for box in (a, b)]
        assert np.abs(middles[0] - middles[1]).max() <= 3
        assert name in ("read_text", "compare") or np.abs(np.subtract(a, b)).max() <= 2


def strange():
    """Pictures that are no part: narrow, empty, noise, a pattern, blocks of colour, a ramp."""
    rng = np.random.default_rng(1)
    yield rng.integers(0, 256, (16, 31, 3), dtype=np.uint8)
    yield np.full((64, 64, 3), 255, np.uint8)
    yield rng.integers(0, 256, (120, 90, 3), dtype=np.uint8)
    yield np.ascontiguousarray(((np.indices((96, 130)).sum(0) // 9) % 2 * 255)[..., None].repeat(3, 2).astype(np.uint8))
    yield cv2.resize(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8), (210, 150), interpolation=cv2.INTER_NEAREST)
    yield np.ascontiguousarray(np.linspace(0, 255, 200)[None, :, None].repeat(17, 0).repeat(3, 2).astype(np.uint8))


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_of_anything_is_answered_or_refused(name, cases):
    """Nothing but `ToolInputError`, which the loop turns into a refused step."""
    pictures = list(strange())
    for i, pixels in enumerate(pictures):
        others = [pictures[(i + 1) % len(pictures)], pictures[(i + 2) % len(pictures)]]
        desk = make_desk(pixels, references=others[:1], good=tuple(others) if i % 2 else (), cases=cases)
        height, width = pixels.shape[:2]
        args = {**ARGS[name], **({"box": (0, 0, width, height)} if "box" in ARGS[name] else {})}
        tool = CATALOG[name]
        with suppress(ToolInputError):
            report = tool.run(desk, tool.args.model_validate({"why": "anything", **args}))
            assert all(0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height for x0, y0, x1, y1 in report.boxes)
