"""The loop with real stores and checkpoints, driven by a script: steps, limits, events, traces, conversations."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from agent.events import StepDone, StepStarted, TurnEnded
from agent.planners.scripted import call, conclude
from agent.policy import Limits
from kenpin.contracts.errors import InstructionRefused, StoreError, ToolInputError, Unavailable
from kenpin.contracts.trace import Trace
from kenpin.contracts.view import View

Installed = Callable[..., Any]
CHECK = call("check_image", "A verdict needs a good picture.")
SCRATCH = ("scratch", 0.9, (20, 50, 40, 70))


def test_every_step_carries_why_and_what_came_of_it(installed: Installed) -> None:
    zoom = call("zoom", "The corner looks odd.", box=[20, 40, 60, 80], factor=3.0)
    house = installed([zoom, call("crop", box=[500, 500, 600, 600]), conclude("Done [1].")])
    key = house.start()

    house.say(key, "Zoom in.")

    zoomed, refused = house.trace(key).turns[0].steps
    assert (zoomed.n, zoomed.tool, zoomed.why, zoomed.status) == (1, "zoom", "The corner looks odd.", "ok")
    assert zoomed.view == "v1" and zoomed.boxes == ((20, 40, 60, 80),) and zoomed.result["factor"] == 3.0
    assert "why" not in zoomed.args and zoomed.ms > 0
    assert (refused.n, refused.status, refused.result) == (2, "refused", {})
    assert refused.error and "lies outside" in refused.error


def test_the_evidence_of_a_step_can_be_looked_at(installed: Installed) -> None:
    house = installed([call("zoom", box=[20, 40, 60, 80], factor=2.0), conclude("Done.")])
    key = house.start()
    house.say(key, "Zoom in.")

    (step,) = house.trace(key).turns[0].steps
    view, drawn = (house.pictures.get(sha256) for sha256 in step.evidence)

    assert view.shape == (80, 80, 3) and drawn.shape == (150, 200, 3)


def test_the_trace_has_every_view_with_its_way_back(installed: Installed) -> None:
    script = [
        call("crop", box=[40, 40, 140, 120]),
        call("zoom", view="v1", box=[50, 50, 90, 90], factor=4.0),
        conclude("Done."),
    ]
    house = installed(script)
    key = house.start()
    house.say(key, "Closer.")

    views = {view["id"]: View.model_validate(view) for view in house.trace(key).views}

    assert list(views) == ["v0", "v1", "v2"] and views["v2"].parent == "v1" and views["v2"].source == "v0"
    assert views["v2"].place() == (50, 50, 90, 90)
    assert np.allclose(views["v2"].points_to_source(np.array([[80.0, 80.0]])), [[70.0, 70.0]])


def test_boxes_refer_to_the_upload_from_any_view(installed: Installed) -> None:
    script = [
        call("zoom", box=[40, 40, 80, 80], factor=5.0),
        call("crop", view="v1", box=[50, 50, 60, 60]),
        conclude("[2]"),
    ]
    house = installed(script)
    key = house.start()
    house.say(key, "Closer.")

    assert house.trace(key).turns[0].steps[1].boxes == ((50, 50, 60, 60),)


def test_several_calls_in_one_message_run_in_their_order(installed: Installed, house: ModuleType) -> None:
    calls = [
        call("crop", box=[0, 0, 50, 50]),
        call("detect"),
        call("zoom", view="v1", box=[0, 0, 20, 20]),
        call("detect"),
    ]
    opened = installed([calls, conclude("Done.")], tools=house.real(house.searching(SCRATCH)))
    key = opened.start()

    opened.say(key, "Everything at once.")

    steps = opened.trace(key).turns[0].steps
    assert [(s.n, s.tool, s.status) for s in steps] == [
        (1, "crop", "ok"),
        (2, "detect", "ok"),
        (3, "zoom", "ok"),
        (4, "detect", "ok"),
    ]
    assert steps[2].view == "v2"  # the zoom saw the view that the crop had just made
    assert [s.result["findings"][0]["id"] for s in (steps[1], steps[3])] == ["f1", "f2"]


def test_calls_behind_an_answer_do_not_run(installed: Installed) -> None:
    house = installed([[call("crop", box=[0, 0, 50, 50]), conclude("Done."), call("zoom", box=[0, 0, 9, 9])]])
    key = house.start()

    assert house.say(key, "Crop.").text == "Done."
    assert [s.tool for s in house.trace(key).turns[0].steps] == ["crop"]


def test_events_come_as_the_steps_happen(installed: Installed) -> None:
    house = installed([call("crop", box=[0, 0, 50, 50]), call("crop", box=[900, 0, 950, 50]), conclude("Done [1].")])
    key = house.start()
    seen: list[tuple[Any, ...]] = []

    for event in house.inspector.say(key, "Crop twice."):
        if isinstance(event, StepStarted):
            seen.append(("started", event.n, event.tool, bool(event.why)))
        elif isinstance(event, StepDone):
            assert not event.step.evidence or house.pictures.get(event.step.evidence[0]).size
            seen.append(("done", event.step.n, event.step.tool, event.step.status))
        elif isinstance(event, TurnEnded):
            assert house.trace(key).turns[0].answer == event.answer
            assert house.traces.load(key).turns[0].answer == event.answer
            seen.append(("ended", event.answer.kind))

    assert seen == [
        ("started", 1, "crop", True), ("done", 1, "crop", "ok"),
        ("started", 2, "crop", True), ("done", 2, "crop", "refused"),
        ("ended", "answer"),
    ]  # fmt: skip


def test_steps_are_numbered_through_the_conversation(installed: Installed) -> None:
    box = [0, 0, 50, 50]
    house = installed(
        [
            call("crop", box=box),
            conclude("One [1]."),
            [call("zoom", box=box), call("crop", box=box)],
            conclude("Two [2]."),
        ]
    )
    key = house.start()

    house.say(key, "Crop.")
    answer = house.say(key, "Zoom.")

    turns = house.trace(key).turns
    assert [[s.n for s in turn.steps] for turn in turns] == [[1], [2, 3]]
    assert [turn.say for turn in turns] == ["Crop.", "Zoom."]
    assert answer.cites == (2,) and answer.unverified == ()


def test_findings_and_scale_outlive_their_turn(installed: Installed, house: ModuleType) -> None:
    script = [
        [CHECK, call("detect"), call("calibrate")], conclude("f1 [2].", about=["f1"]),
        call("measure", of="f1"), conclude("f1 is 12.5 mm long [4].", about=["f1"]),
    ]  # fmt: skip
    tools = house.real(house.searching(SCRATCH), house.measuring(12.5), house.scaling(0.25))
    opened = installed(script, tools=tools)
    key = opened.start()
    opened.say(key, "Look for scratches.")

    answer = opened.say(key, "How long is it?")

    assert answer.measures[0].value == 12.5 and answer.measures[0].of == "f1" and answer.measures[0].step == 4
    assert [f.id for f in answer.findings] == ["f1"] and answer.unverified == ()


def test_two_inspections_do_not_mix(installed: Installed) -> None:
    house = installed(
        [call("crop", box=[0, 0, 50, 50]), conclude("Done [1]."), call("zoom", box=[0, 0, 9, 9]), conclude("[2]")]
    )
    one, two = house.start(), house.start(house_plate(1))
    first, second = iter(house.inspector.say(one, "Crop one.")), iter(house.inspector.say(two, "Crop two."))

    for _ in range(3):
        next(first), next(second)
    house.say(one, "Zoom one.")

    assert [t.say for t in house.trace(one).turns] == ["Crop one.", "Zoom one."]
    assert [t.say for t in house.trace(two).turns] == ["Crop two."]
    assert [s.n for s in house.trace(two).turns[0].steps] == [1]
    assert house.trace(one).images[0].sha256 != house.trace(two).images[0].sha256
    assert set(house.traces.ids()) == {one, two}


def house_plate(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (60, 80, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("limits", "script", "reason"),
    [
        (Limits(steps=3), [call("crop", box=[0, 0, 50, 50])] * 9, "limit.steps:3"),
        (Limits(steps=2), [[call("crop", box=[0, 0, 50, 50])] * 9], "limit.steps:2"),
        (Limits(seconds=0.0), [call("crop", box=[0, 0, 50, 50])] * 9, "limit.seconds:0"),
        (Limits(invalid=3), [call("crop", box=[900, 0, 950, 50])] * 9, "limit.invalid:3"),
        (Limits(invalid=2), [call("polish")] * 9, "limit.invalid:2"),
        (Limits(invalid=2), [call("answer")] * 9, "limit.invalid:2"),  # an answer without text
        (Limits(invalid=3), [], "limit.invalid:3"),  # a planner that only talks
    ],
)
def test_a_limit_ends_the_turn_in_uncertain(
    installed: Installed, limits: Limits, script: list[Any], reason: str
) -> None:
    house = installed(script, limits=limits)
    key = house.start()

    answer = house.say(key, "Inspect it.")

    assert (answer.kind, answer.verdict, answer.rule, answer.reasons) == ("answer", "uncertain", "limits", (reason,))
    assert answer.text and answer.unverified == ()
    assert len(house.trace(key).turns[0].steps) <= 3


def test_after_a_limit_the_conversation_goes_on(installed: Installed) -> None:
    house = installed(
        [call("polish"), call("polish"), call("crop", box=[0, 0, 9, 9]), conclude("Done [3].")],
        limits=Limits(invalid=2),
    )
    key = house.start()

    assert house.say(key, "Polish it.").rule == "limits"
    assert house.say(key, "Crop, then.").text == "Done [3]."


def test_a_success_forgives_refused_calls(installed: Installed) -> None:
    bad, good = call("crop", box=[900, 0, 950, 50]), call("crop", box=[0, 0, 50, 50])
    house = installed([bad, good, bad, good, bad, conclude("Done.")], limits=Limits(invalid=2))
    key = house.start()

    assert house.say(key, "Crop.").text == "Done."


def test_a_planner_that_forgets_to_call_is_reminded(installed: Installed) -> None:
    house = installed([[], [], conclude("Now I know.")])
    key = house.start()

    assert house.say(key, "Inspect.").text == "Now I know."


@pytest.mark.parametrize(
    ("error", "status"),
    [(ToolInputError("too dark"), "refused"), (Unavailable("no weights"), "failed"), (StoreError("gone"), "failed")],
)
def test_a_step_that_could_not_be_done_is_recorded_and_forbids_ok(
    installed: Installed, house: ModuleType, error: Exception, status: str
) -> None:
    opened = installed(
        [CHECK, call("detect"), conclude("All is well.", judged=True)], tools=house.real(house.raising(lambda: error))
    )
    key = opened.start()

    answer = opened.say(key, "Is it OK?")

    step = opened.trace(key).turns[0].steps[1]
    assert (step.status, step.error) == (status, str(error))
    assert answer.verdict == "uncertain" and f"step.{status}:2:detect" in answer.reasons


@pytest.mark.parametrize("parallel", [False, True])
def test_a_bug_crashes_the_call_and_nothing_is_lost(installed: Installed, house: ModuleType, parallel: bool) -> None:
    box = [0, 0, 50, 50]
    bug = house.raising(lambda: KeyError("shape"), times=1)
    calls = [call("crop", box=box), call("detect"), call("zoom", box=box)]
    opened = installed([*([calls] if parallel else calls), conclude("Done [1].")], tools=house.real(bug))
    key = opened.start()
    with pytest.raises(KeyError):
        opened.events(key, "Look for scratches.")

    kept = opened.traces.load(key).turns[0]
    assert kept.say == "Look for scratches." and kept.answer is None
    assert [s.tool for s in kept.steps] == ([] if parallel else ["crop"])
    with pytest.raises(StoreError, match="has not ended"):
        opened.events(key, "Something else.")

    events = list(opened.inspector.resume(key))

    assert isinstance(events[-1], TurnEnded) and events[-1].answer.text == "Done [1]."
    assert [s.tool for s in opened.trace(key).turns[0].steps] == ["crop", "detect", "zoom"]
    assert list(opened.inspector.resume(key)) == []


def test_a_caller_that_stops_listening_loses_nothing(installed: Installed) -> None:
    box = [0, 0, 50, 50]
    house = installed([call("crop", box=box), call("zoom", box=box), conclude("Done [1].")])
    key = house.start()
    stream = house.inspector.say(key, "Crop and zoom.")
    next(stream), next(stream), stream.close()

    assert house.traces.load(key).turns[0].say == "Crop and zoom."
    list(house.inspector.resume(key))

    assert [s.n for s in house.trace(key).turns[0].steps] == [1, 2]
    assert house.trace(key).turns[0].answer


def test_a_question_and_a_refusal_carry_no_verdict(installed: Installed, house: ModuleType) -> None:
    script = [call("ask", question="Which side?"), [call("detect"), conclude("I cannot weigh it.", kind="refusal")]]
    opened = installed(script, tools=house.real(house.searching(SCRATCH)))
    key = opened.start()

    asked, refused = opened.say(key, "Check the side."), opened.say(key, "How heavy is it?")

    assert (asked.kind, asked.text, asked.verdict, asked.rule) == ("question", "Which side?", None, None)
    assert (refused.kind, refused.verdict, refused.findings) == ("refusal", None, ())


def test_instructions_that_are_none_are_refused_and_change_nothing(installed: Installed) -> None:
    house = installed([conclude("Done.")])
    key = house.start()

    for text in ("", "   \n\t", "　", "x" * 8001, "x" * 20_000, "broken \ud800 text"):
        with pytest.raises(InstructionRefused) as caught:
            house.events(key, text)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 200

    assert house.trace(key).turns == () and house.say(key, "  Inspect. ").text == "Done."
    assert house.trace(key).turns[0].say == "Inspect."


def test_unknown_and_taken_ids_are_said(installed: Installed) -> None:
    house = installed([conclude("Done.")])
    key = house.start()

    with pytest.raises(StoreError, match="there is no inspection 'nope'"):
        house.events("nope", "Inspect.")
    with pytest.raises(StoreError, match="there is no inspection 'nope'"):
        house.trace("nope")
    with pytest.raises(StoreError, match="already"):
        house.start(inspection_id=key)
    assert list(house.inspector.resume(key)) == []


def test_a_restarted_process_goes_on_with_the_conversation(installed: Installed) -> None:
    script = [
        call("crop", box=[0, 0, 50, 50]),
        conclude("One [1]."),
        call("crop", view="v1", box=[0, 0, 9, 9]),
        conclude("Two [2]."),
    ]
    before = installed(script)
    key = before.start()
    before.say(key, "Crop.")
    trace = before.trace(key)

    after = installed(script)

    assert after.trace(key) == trace == after.traces.load(key)
    assert after.say(key, "Again, on that.").cites == (2,)


def test_no_picture_ever_enters_a_checkpoint(installed: Installed, house: ModuleType) -> None:
    boxes = [[x, y, x + 400, y + 300] for x in range(0, 400, 80) for y in range(0, 300, 100)]
    opened = installed(
        [*[call("zoom", box=box, factor=2.0) for box in boxes], conclude("Done.")], limits=Limits(steps=50)
    )
    noise = np.random.default_rng(3).integers(0, 255, (600, 800, 3), dtype=np.uint8)
    key = opened.start(noise, references=[noise[::-1].copy()])
    opened.say(key, "Zoom everywhere.")

    stored = sum(path.stat().st_size for path in (opened.home / "pictures").rglob("*") if path.is_file())
    with closing(sqlite3.connect(opened.checkpoints)) as base:
        rows = [
            bytes(v)
            for t in ("checkpoints", "writes")
            for row in base.execute(f"SELECT * FROM {t}")
            for v in row
            if isinstance(v, bytes)
        ]
    blob = b"".join(rows)
    assert stored > 10_000_000 and len(blob) < 1_500_000  # fifteen zooms of a megapixel each
    assert not any(magic in blob for magic in (b"\x89PNG", b"\xff\xd8\xff", b"JFIF", b"base64", noise[0, :8].tobytes()))


def test_a_trace_is_plain_json(installed: Installed) -> None:
    house = installed([call("crop", box=[0, 0, 50, 50]), conclude("Done [1].")])
    key = house.start()
    house.say(key, "切り出して")

    text = house.trace(key).model_dump_json()

    assert Trace.model_validate(json.loads(text)) == house.trace(key)
    assert "切り出して" in text and "NaN" not in text
