"""What a trace says of its circumstances: who asked, which lot and part, which limits and tools, who said what."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from agent.inspector import MAX_NAME
from agent.planners.scripted import call, conclude
from agent.policy import Limits
from kenpin.contracts.camera import CameraProfile
from kenpin.contracts.errors import BadInput
from kenpin.contracts.trace import Trace
from kenpin.contracts.verdict import Criteria, Criterion, Op
from tools.check_image import TOOL as CHECK

Installed = Callable[..., Any]
CRITERIA = Criteria(
    product="panel", revision="B", limits=(Criterion(of="scratch", quantity="length", op=Op.LE, value=25, unit="mm"),)
)


def test_the_trace_holds_what_the_inspection_started_from(installed: Installed) -> None:
    house = installed([conclude("Done."), conclude("Done."), conclude("Done.")])
    camera = CameraProfile(width=200, height=150, matrix=((300.0, 0, 100), (0, 300.0, 75), (0, 0, 1.0)), mm_per_px=0.2)
    key = house.start(
        asker="sato", lot="L-17", part="0042", criteria=CRITERIA, camera=camera, lang="ja", rerun_of="an-earlier-one"
    )
    for who in ("sato", "tanaka", None):
        list(house.inspector.say(key, "Look.", by=who))

    trace = house.traces.load(key)

    assert (trace.asker, trace.lot, trace.part, trace.rerun_of) == ("sato", "L-17", "0042", "an-earlier-one")
    assert (trace.criteria, trace.camera, trace.lang) == (CRITERIA, camera, "ja")
    assert trace.tools == {"answer": "1", "ask": "1", "check_image": CHECK.version, "crop": "1", "zoom": "1"}
    assert [turn.by for turn in trace.turns] == [None, "tanaka", None]
    assert trace.turns[0].scale == 0.2


def test_a_turn_holds_what_its_answer_was_made_from(installed: Installed, house: ModuleType) -> None:
    tools = house.real(house.searching(("scratch", 0.9, (20, 50, 40, 70))), house.scaling(0.5))
    script = [
        call("detect"), conclude("f1 [1].", about=["f1"], judged=True),
        call("ask", question="Where?", missing=["target"]),
        [call("detect"), call("calibrate")], conclude("f2 [2]."),
    ]  # fmt: skip
    opened = installed(script, tools=tools, limits=Limits(steps=2))
    key = opened.start()
    for text in ("Search.", "And?", "Again.", "Once more."):
        opened.say(key, text)

    first, second, third, fourth = opened.trace(key).turns

    assert first.ending and first.ending.args["about"] == ["f1"] and first.ending.args["judged"] is True
    assert (first.labels, third.labels) == ({"f1": "scratch"}, {"f2": "scratch"}) and first.limit is None
    assert second.ending and (second.ending.tool, second.ending.args["missing"]) == ("ask", ["target"])
    assert (first.scale, third.scale) == (None, 0.5)
    assert (third.ending, third.limit) == (None, "limit.steps:2") and third.answer.reasons == ("limit.steps:2",)
    assert fourth.ending and fourth.limit is None


def test_the_one_who_speaks_is_on_record_before_the_turn_ends(installed: Installed) -> None:
    house = installed([call("crop", box=[0, 0, 50, 50]), conclude("Done.")])
    key = house.start(asker="sato")

    running = house.inspector.say(key, "Crop.", by="tanaka")
    next(running)

    assert house.trace(key).turns[0].by == "tanaka" and house.trace(key).turns[0].answer is None
    running.close()


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * (MAX_NAME + 1), "\x1b[31m"])
@pytest.mark.parametrize("what", ["lot", "part"])
def test_a_lot_or_part_that_is_no_name_is_refused(installed: Installed, what: str, name: str) -> None:
    house = installed([])

    with pytest.raises(BadInput, match=f"^{what} .*printable"):
        house.start(**{what: name})
    assert not house.traces.ids()


def test_checkpoints_of_an_earlier_kenpin_go_on(installed: Installed) -> None:
    """As the version before these fields left them: no such keys in the setup, no channel for who speaks."""
    house = installed([call("crop", box=[0, 0, 50, 50]), conclude("One [1]."), conclude("Two.")])
    key = house.start(inspection_id="old")
    graph, config = house.inspector._graph, {"configurable": {"thread_id": key}}
    values = dict(graph.get_state(config).values)
    old = {k: values["setup"][k] for k in ("id", "created", "lang", "product", "images", "good", "criteria", "camera")}
    del values["by"]
    house.inspector.checkpointer.delete_thread(key)
    graph.update_state(config, {**values, "setup": old}, as_node="conclude")
    assert "by" not in graph.get_state(config).values

    assert house.trace(key).asker is None
    house.say(key, "Go on.")
    list(house.inspector.say(key, "And on.", by="tanaka"))

    turns = house.trace(key).turns
    assert [turn.by for turn in turns] == [None, "tanaka"]
    assert turns[0].tools == {"answer": "1", "ask": "1", "check_image": CHECK.version, "crop": "1", "zoom": "1"}


def test_traces_of_an_earlier_kenpin_load(installed: Installed) -> None:
    house = installed([call("crop", box=[0, 0, 50, 50]), conclude("One [1].")])
    key = house.start()
    house.say(key, "Crop.")
    data = json.loads(house.trace(key).model_dump_json())
    for name in ("asker", "lot", "part", "criteria", "tools", "lang", "camera", "rerun_of"):
        del data[name]
    for turn in data["turns"]:
        for name in ("by", "ending", "limit", "scale", "labels", "tools"):
            del turn[name]

    trace = Trace.model_validate(data)

    assert trace.asker is None and trace.turns[0].ending is None and trace.turns[0].answer
