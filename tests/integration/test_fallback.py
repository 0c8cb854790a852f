"""The planner that stands in where the one that was asked for is gone: configured, told, and never silent."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.deciding import StandIn
from agent.events import StepDone, TookOver, TurnEnded
from agent.planners.scripted import call, conclude, scripted_planner
from agent.planners.vllm_server import vllm_planner
from agent.reasons import took_over
from kenpin.cli_shared import console_actor
from kenpin.config import Settings
from kenpin.contracts.errors import MissingExtra, Unavailable
from kenpin.contracts.trace import Trace, maker, planner_of, proposer, trace_sha256
from kenpin.services import Services
from kenpin.wiring import open_kenpin
from tests.doubles import load
from tools.catalog import CATALOG, OFFERED

fake, double = load("fake_openai"), load("inspection_double")
called, serving, status = fake.called, fake.serving, fake.status
ANSWER = {"why": "Done.", "text": "Looked at it.", "kind": None, "judged": None, "about": None}
CROP = {"why": "To look.", "view": None, "box": [100, 100, 400, 400]}
CHECK = {"why": "A verdict needs a good picture.", "view": None}
GONE = fake.reset()


@pytest.fixture(autouse=True)
def plain_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KENPIN_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("time.sleep", lambda s: None)


def embedded() -> Any:
    from agent.planners.embedded import embedded_planner

    return embedded_planner(Settings(), OFFERED)


def bench(server: Any, stand_in: Any = embedded, tools: Any = None) -> Any:
    """An inspection in memory whose server follows a script and for which another planner may stand in."""
    tools = tools or dict(CATALOG)
    planner = vllm_planner(Settings(vllm_url=server.url, vllm_retries=0), double.offered(tools))
    work = double.Bench(planner, tools=tools)
    other = StandIn("embedded" if stand_in else None, lambda name: stand_in())
    made = work.inspector
    work.inspector = type(made)(planner, made.recorder, made.traces, made.checkpointer, other)
    return work


def test_a_turn_whose_server_dies_is_answered_by_the_other_planner_and_the_trace_says_so() -> None:
    with serving(called(("crop", CROP)), GONE) as server:
        work = bench(server)
        key = work.start(double.part(400, 300))
        events = list(work.inspector.say(key, "Is there any defect?"))
        asked = len(server.chats)
        trace = work.inspector.trace(key)
    turn = trace.turns[0]
    assert turn.answer and turn.answer.kind == "answer"
    assert turn.fallback and turn.fallback.at_step == 2
    assert turn.fallback.instead_of == trace.planner and trace.planner.backend == "vllm"
    assert "broke the connection" in turn.fallback.because and "\n" not in turn.fallback.because
    assert planner_of(trace, turn).backend == proposer(trace).backend == "embedded"
    assert [maker(trace, turn, step.n).backend for step in turn.steps][:2] == ["vllm", "embedded"]
    assert [step.n for step in turn.steps] == list(range(1, len(turn.steps) + 1))
    assert turn.steps[0].tool == "crop" and {"check_image", "detect"} <= {step.tool for step in turn.steps[1:]}
    assert asked == 2, "the server is not asked again in this turn"
    told = [event for event in events if isinstance(event, TookOver)]
    assert [(event.planner.backend, event.fallback) for event in told] == [("embedded", turn.fallback)]
    assert Trace.model_validate_json(trace.model_dump_json()) == trace
    assert work.traces.load(key) == trace


def test_the_next_turn_tries_the_server_again() -> None:
    with serving(GONE, called(("answer", ANSWER))) as server:
        work = bench(server)
        key = work.start(double.part(400, 300))
        work.say(key, "Zoom in on the upper left.")
        assert work.say(key, "And now?").text == "Looked at it."
        first, second = work.inspector.trace(key).turns
        assert first.fallback and first.fallback.at_step == 1
        assert second.fallback is None and second.planner is None
        # What the other planner did is part of the dialogue that the server gets, with ids that every template takes.
        messages = server.chats[1].messages
    calls = [made for m in messages for made in m.get("tool_calls", ())]
    assert [made["function"]["name"] for made in calls] == ["zoom", "answer"]
    assert all(made["id"].isalnum() and len(made["id"]) == 9 for made in calls)
    assert [m["tool_call_id"] for m in messages if m["role"] == "tool"] == [made["id"] for made in calls]


def test_what_was_done_is_not_done_again() -> None:
    """The search that the server called for counts; the other planner's own search would be the same."""
    with serving(called(("check_image", CHECK)), called(("detect", {**CHECK, "box": None, "types": None})),
                 GONE) as server:
        work = bench(server)
        key = work.start(double.part(400, 300))
        answer = work.say(key, "Is there any defect?")
        turn = work.inspector.trace(key).turns[0]
    alone = double.Bench(embedded(), tools=dict(CATALOG))
    other = alone.start(double.part(400, 300))
    plain = alone.say(other, "Is there any defect?")
    steps = [step.tool for step in turn.steps]
    assert steps.count("detect") == steps.count("check_image") == 1
    assert sorted(steps) == sorted(step.tool for step in alone.inspector.trace(other).turns[0].steps)
    assert (answer.verdict, answer.rule) == (plain.verdict, plain.rule)
    assert [f.box for f in answer.findings] == [f.box for f in plain.findings]
    assert not answer.unverified


def test_wrong_calls_of_the_one_are_not_held_against_the_other() -> None:
    with serving(called(("polish", CROP)), called(("polish", CROP)), GONE) as server:
        work = bench(server)
        key = work.start(double.part(400, 300))
        answer = work.say(key, "Zoom in on the upper left.")
        turn = work.inspector.trace(key).turns[0]
    assert turn.limit is None and answer.kind == "answer"
    assert [step.status for step in turn.steps] == ["refused", "refused", "ok"]
    assert turn.fallback and turn.fallback.at_step == 3


def test_without_a_stand_in_the_turn_stops_as_before() -> None:
    with serving(called(("crop", CROP)), GONE) as server:
        work = bench(server, stand_in=None)
        key = work.start(double.part(400, 300))
        with pytest.raises(Unavailable, match="broke the connection"):
            work.say(key, "Look at it")
        turn = work.inspector.trace(key).turns[0]
        assert (len(turn.steps), turn.answer, turn.fallback, turn.planner) == (1, None, None, None)


def test_a_turn_that_had_stopped_is_gone_on_with_by_the_stand_in() -> None:
    with serving(called(("crop", CROP)), GONE) as server:
        work = bench(server, stand_in=None)
        key = work.start(double.part(400, 300))
        with pytest.raises(Unavailable):
            work.say(key, "Zoom in on the upper left.")
        made = work.inspector
        later = type(made)(made.planner, made.recorder, made.traces, made.checkpointer,
                           StandIn("embedded", lambda name: embedded()))
        list(later.resume(key))
        turn = later.trace(key).turns[0]
    assert turn.answer and turn.fallback and turn.fallback.at_step == 2
    assert [step.tool for step in turn.steps] == ["crop", "zoom"]


def test_a_model_that_answers_badly_is_uncertain_and_no_reason_to_change() -> None:
    with serving(called(("polish", CROP))) as server:
        work = bench(server)
        key = work.start(double.part(400, 300))
        assert work.say(key, "Is the part acceptable?").verdict == "uncertain"
        turn = work.inspector.trace(key).turns[0]
        assert turn.fallback is None and turn.planner is None


def test_cancelling_is_no_reason_to_change() -> None:
    with serving(called(("crop", CROP)), GONE) as server:
        work = bench(server)
        key = work.start(double.part(400, 300))
        for event in work.inspector.say(key, "Look at it"):
            if isinstance(event, StepDone):
                break
        turn = work.inspector.trace(key).turns[0]
        assert turn.answer is None and turn.fallback is None


def test_a_turn_that_was_taken_over_goes_on_with_the_same_planner_after_a_crash() -> None:
    """Also where nobody may stand in any more: one turn has one planner that answers it."""
    with serving(GONE) as server:
        work = bench(server)
        key = work.start(double.part(400, 300))
        for event in work.inspector.say(key, "Is there any defect?"):
            if isinstance(event, StepDone):
                break
        open_turn = work.inspector.trace(key).turns[0]
        assert open_turn.answer is None and open_turn.fallback and open_turn.planner.backend == "embedded"
        server.script[:] = [called(("answer", ANSWER))]
        made = work.inspector
        again = type(made)(made.planner, made.recorder, made.traces, made.checkpointer,
                           StandIn(None, lambda name: {"embedded": embedded}[name]()))
        list(again.resume(key))
        turn = again.trace(key).turns[0]
        assert turn.answer and turn.answer.text != "Looked at it."
        assert turn.fallback == open_turn.fallback
        assert len(server.chats) == 1


@pytest.mark.parametrize("why", [Unavailable("no memory left"), MissingExtra("the local planner", extra="local")])
def test_a_stand_in_that_cannot_run_is_one_line_and_the_turn_is_kept(why: Exception) -> None:
    def broken() -> Any:
        raise why

    with serving(called(("crop", CROP)), GONE) as server:
        work = bench(server, stand_in=broken)
        key = work.start(double.part(400, 300))
        with pytest.raises(Unavailable) as caught:
            work.say(key, "Look at it")
        text = str(caught.value)
        assert "broke the connection" in text and str(why) in text and "\n" not in text
        server.script[:] = [called(("answer", ANSWER))]
        list(work.inspector.resume(key))
        turn = work.inspector.trace(key).turns[0]
        assert turn.answer and turn.fallback is None and len(turn.steps) == 1


def test_the_verdict_of_a_stand_in_is_held_to_the_same_rules() -> None:
    """A stand-in that says ok without having looked is not believed."""
    script = [call("crop", box=[0, 0, 50, 50]), conclude("The part is ok.", judged=True)]
    with serving(GONE) as server:
        work = bench(server, stand_in=lambda: scripted_planner(script))
        key = work.start(double.part(400, 300))
        made = work.inspector
        made.stand_in.name = "scripted"
        assert work.say(key, "Is the part acceptable?").verdict == "uncertain"


# The whole installation: settings, command line, services.


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    from PIL import Image

    Image.fromarray(double.part(320, 240)).save(tmp_path / "part.png")
    return tmp_path / "part.png"


def opened(tmp_path: Path, url: str, **more: Any) -> Services:
    settings = Settings(**{"home": tmp_path / "home", "planner": "vllm", "vllm_url": url, "vllm_retries": 0,
                           "vllm_frame": "per_mille", **more})
    return Services(open_kenpin(settings, console=True))


def working(request: Any) -> Any:
    """A server that passes the start-up questions and then ends each turn at once."""
    if not request.path.endswith("/chat/completions"):
        return status(404)
    if len(request.body["tools"]) == 1:
        return called(("name_colour", {"colour": "red"}))
    return called(("answer", ANSWER))


def test_a_server_that_is_not_there_at_the_start(tmp_path: Path, picture: Path) -> None:
    from kenpin.session import material

    port, actor = fake.unused_port(), console_actor()
    services = opened(tmp_path, f"http://127.0.0.1:{port}/v1", planner_fallback="embedded")
    key = services.asking.start(actor, material(picture))
    list(services.asking.say(actor, key, "Zoom in on the upper left."))
    with serving(working, port=port):
        list(services.asking.say(actor, key, "And now?"))
    list(services.asking.say(actor, key, "Zoom in on the lower right."))
    trace = services.asking.trace(actor, key)
    assert (trace.planner.backend, trace.planner.model) == ("vllm", "not known")
    assert [planner_of(trace, turn).backend for turn in trace.turns] == ["embedded", "vllm", "embedded"]
    assert [bool(turn.fallback) for turn in trace.turns] == [True, False, True]
    assert trace.turns[1].planner and trace.turns[1].planner.model == fake.MODEL
    assert "no server answers" in trace.turns[0].fallback.because
    assert all(turn.answer for turn in trace.turns)
    record, hashes = services.asking.record(actor, key)
    assert record == trace and hashes[3] == trace_sha256(trace)
    from kenpin.replaying.replay import replay

    assert replay(record, services.kenpin.pictures, recorded=hashes).identical
    again, events = services.asking.rerun(actor, key)
    assert sum(isinstance(event, TurnEnded) for event in events) == 3
    assert services.asking.trace(actor, again).planner.backend == "vllm"


def test_without_a_stand_in_nothing_is_begun(tmp_path: Path, picture: Path) -> None:
    from kenpin.session import material

    services = opened(tmp_path, f"http://127.0.0.1:{fake.unused_port()}/v1")
    with pytest.raises(Unavailable, match="no server answers"):
        services.asking.start(console_actor(), material(picture))
    assert services.asking.recent(console_actor(), limit=5)[1] == 0


def test_the_planner_that_stands_in_is_asked_for_by_name_as_any_other(tmp_path: Path, picture: Path) -> None:
    from kenpin.session import material

    services, actor = opened(tmp_path, "http://127.0.0.1:1/v1", planner_fallback="embedded"), console_actor()
    key = services.asking.start(actor, material(picture), planner="embedded")
    list(services.asking.say(actor, key, "Zoom in on the upper left."))
    (turn,) = services.asking.trace(actor, key).turns
    assert turn.fallback is None and turn.planner is None


def test_a_server_that_came_back_as_another_is_found_out_about(tmp_path: Path, picture: Path) -> None:
    """The same name, another model behind it: what was found out about the first says nothing about it."""
    from kenpin.session import material

    port, actor = fake.unused_port(), console_actor()
    services = opened(tmp_path, f"http://127.0.0.1:{port}/v1", vllm_frame="auto")
    listed = [{"id": "planner", "object": "model", "root": f"Qwen/{name}"}
              for name in ("Qwen2.5-VL-7B-Instruct", "Qwen3-VL-8B-Instruct")]
    crops: list[Any] = []

    def reply(request: Any) -> Any:
        if not request.path.endswith("/chat/completions") or len(request.body["tools"]) == 1 or not crops:
            return working(request)
        return crops.pop()

    for model in listed:
        with serving(reply, port=port, models=[model]):
            if model is listed[0]:
                key = services.asking.start(actor, material(picture))
            crops[:] = [called(("crop", {**CROP, "box": [100, 100, 200, 150]}))]
            list(services.asking.say(actor, key, "Look at it"))
    first, second = (turn.steps[0].args["box"] for turn in services.asking.trace(actor, key).turns)
    assert first != second


def test_a_server_that_came_back_with_another_name_in_the_middle_of_a_turn(tmp_path: Path, picture: Path) -> None:
    """The turn stops in one line and is kept; gone on with, it is the new model's, and the trace names it."""
    from kenpin.session import material

    port, actor = fake.unused_port(), console_actor()
    services = opened(tmp_path, f"http://127.0.0.1:{port}/v1")
    old, new = ({"id": name, "object": "model", "root": name} for name in ("Qwen3-VL-4B", "Qwen3-VL-8B"))
    turn = [called(("crop", CROP)), status(404, "The model `Qwen3-VL-4B` does not exist.")]

    def reply(request: Any) -> Any:
        if not request.path.endswith("/chat/completions") or len(request.body["tools"]) == 1 or not turn:
            return working(request)
        return turn.pop(0)

    with serving(reply, port=port, models=[old]):
        key = services.asking.start(actor, material(picture))
        with pytest.raises(Unavailable, match="does not know what was asked for") as caught:
            list(services.asking.say(actor, key, "Look at it"))
        assert "\n" not in str(caught.value)
    with serving(reply, port=port, models=[new]):
        list(services.asking.resume(actor, key))
    trace = services.asking.trace(actor, key)
    (done,) = trace.turns
    assert done.answer and [step.tool for step in done.steps] == ["crop"]
    assert trace.planner.model == "Qwen3-VL-4B" and done.planner and done.planner.model == "Qwen3-VL-8B"


def test_the_settings_are_held_to_sense(monkeypatch: pytest.MonkeyPatch, kenpin: Callable[..., Any],
                                        picture: Path) -> None:
    monkeypatch.setenv("KENPIN_PLANNER_FALLBACK", "embedded")
    ran = kenpin("inspect", picture, "Look at it")
    assert ran.code == 2 and "planner_fallback is embedded, which is the planner itself" in ran.line
    assert kenpin("inspect", picture, "Zoom in on the upper left.", "--planner", "embedded").code == 0
    monkeypatch.setenv("KENPIN_PLANNER_FALLBACK", "vllm")
    ran = kenpin("inspect", picture, "Look at it")
    assert ran.code == 2 and "planner_fallback" in ran.line and "'embedded' or 'local'" in ran.line


@pytest.mark.parametrize(("say", "words"), [
    ("Zoom in on the upper left.", "The vLLM server did not answer; this turn was answered by the embedded planner"),
    ("左上を拡大してください。", "vLLMサーバーが応答しなかったため")])
def test_the_command_line_says_it(monkeypatch: pytest.MonkeyPatch, kenpin: Callable[..., Any], picture: Path,
                                  tmp_path: Path, say: str, words: str) -> None:
    monkeypatch.setenv("KENPIN_VLLM_URL", f"http://127.0.0.1:{fake.unused_port()}/v1")
    assert kenpin("inspect", picture, say, "--planner", "vllm").code == 3
    monkeypatch.setenv("KENPIN_PLANNER_FALLBACK", "embedded")
    ran = kenpin("inspect", picture, say, "--planner", "vllm", "--report", tmp_path / "r.html")
    assert ran.code == 0 and words in "".join(ran.out.split("\n"))
    report = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert words in report and "no server answers at" in report
    ran = kenpin("inspect", picture, say, "--planner", "vllm", "--json")
    told = json.loads(ran.out)
    (turn,) = told["turns"]
    monkeypatch.setenv("KENPIN_PLANNER", "vllm")
    again = kenpin("rerun", told["id"])
    assert again.code == 0 and again.out.count("embedded kenpin-embedded/1 (stood in)") == 2
    assert kenpin("replay", told["id"]).code == 0
    assert turn["fallback"]["instead_of"]["backend"] == "vllm" and turn["planner"]["backend"] == "embedded"


def test_the_doctor_asks_each_by_itself(monkeypatch: pytest.MonkeyPatch, kenpin: Callable[..., Any]) -> None:
    monkeypatch.setenv("KENPIN_VLLM_URL", f"http://127.0.0.1:{fake.unused_port()}/v1")
    monkeypatch.setenv("KENPIN_PLANNER_FALLBACK", "embedded")
    ran = kenpin("doctor", "--planner", "vllm", "--json")
    found = {line["what"]: line for line in json.loads(ran.out)}
    assert ran.code == 3 and not found["planner vllm"]["ok"] and found["fallback embedded"]["ok"]
    assert not any(what.startswith("fallback") for what in
                   (line["what"] for line in json.loads(kenpin("doctor", "--planner", "embedded", "--json").out)))


def test_a_suite_measures_one_planner(monkeypatch: pytest.MonkeyPatch, kenpin: Callable[..., Any],
                                      folder: Path) -> None:
    monkeypatch.setenv("KENPIN_VLLM_URL", f"http://127.0.0.1:{fake.unused_port()}/v1")
    monkeypatch.setenv("KENPIN_PLANNER_FALLBACK", "embedded")
    ran = kenpin("evaluate", folder / "suite.jsonl", "--planner", "vllm")
    assert ran.code == 3 and "no server answers" in ran.line


def test_both_languages_say_who() -> None:
    with serving(GONE) as server:
        work = bench(server)
        key = work.start(double.part(400, 300))
        work.say(key, "Zoom in on the upper left.")
        trace = work.inspector.trace(key)
    turn = trace.turns[0]
    assert turn.fallback
    for lang in ("en", "ja"):
        for ended in (True, False):
            said = took_over(turn.fallback, planner_of(trace, turn), lang, steps=turn.steps, ended=ended)
            assert "vLLM" in said and not any(c.isdigit() for c in said) and {"en": "embedded", "ja": "内蔵"}[lang] in said
