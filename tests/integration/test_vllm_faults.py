"""What goes wrong between the planner and its server: each fault ends in a retry that works, in `uncertain`, or in one
clear line with the turn kept. None ends in `ok`."""

import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agent.events import StepDone
from agent.planners.vllm_server import vllm_planner
from agent.policy import Limits
from kenpin.config import Settings
from kenpin.contracts.errors import StoreError, Unavailable
from kenpin.contracts.trace import Answer, Step


def load(name: str) -> ModuleType:
    """A double from its file; tests are no packages."""
    key = f"kenpin_tests_{name}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, Path(__file__).parents[1] / f"{name}.py")
        assert spec and spec.loader
        sys.modules[key] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[key])
    return sys.modules[key]


fake, double = load("fake_openai"), load("inspection_double")
called, said, serving, status = fake.called, fake.said, fake.serving, fake.status
ANSWER = {"why": "Done.", "text": "Looked at it.", "kind": None, "judged": None, "about": None}
CROP = {"why": "To look.", "view": None, "box": [100, 100, 400, 400]}
FINE = {**ANSWER, "text": "Nothing is wrong with the part.", "judged": True}


@pytest.fixture(autouse=True)
def delays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """Pauses between tries, which tests do not wait for."""
    monkeypatch.setenv("KENPIN_HOME", str(tmp_path))
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


def bench(server: Any, tools: Any = None, limits: Limits | None = None, **settings: Any) -> Any:
    tools = tools or double.catalogue()
    planner = vllm_planner(Settings(vllm_url=server.url, **settings), double.offered(tools))
    return double.Bench(planner, tools=tools, limits=limits or Limits())


def turn(server: Any, say: str = "Is the part acceptable?", **more: Any) -> tuple[Answer, tuple[Step, ...]]:
    work = bench(server, **more)
    key = work.start(double.part(400, 300))
    answer = work.say(key, say)
    return answer, work.inspector.trace(key).turns[-1].steps


def one_line(exc: BaseException) -> str:
    text = str(exc)
    assert "\n" not in text
    assert len(text) < 600
    assert isinstance(exc, Unavailable)
    assert exc.exit_code == 3
    return text


def test_nothing_listens() -> None:
    url = f"http://127.0.0.1:{fake.unused_port()}/v1"
    for model in (None, "mine"):
        with pytest.raises(Unavailable) as caught:
            vllm_planner(Settings(vllm_url=url, vllm_model=model), double.offered({}))
        text = one_line(caught.value)
        assert text.startswith(f"no server answers at {url}; start it with")
        assert "--planner embedded" in text


@pytest.mark.parametrize("url", ["http://no-such-host.invalid/v1", "not a url", "ftp://127.0.0.1/v1"])
def test_an_address_that_cannot_be(url: str) -> None:
    with pytest.raises(Unavailable) as caught:
        vllm_planner(Settings(vllm_url=url), double.offered({}))
    assert url in one_line(caught.value)


PASSING = {
    "busy": status(429, "Too many requests"), "error": status(500, "CUDA out of memory"),
    "starting": status(503, "loading"), "gateway": status(502, "bad gateway"),
    "reset": fake.reset(), "dies": fake.cut(),
    "broken json": fake.raw(b'{"id": "chatcmpl-1", "choices": [{"ind'),
    "a page": fake.raw(b"<html>hello</html>", "text/html"), "nothing": fake.raw(b"", "application/json"),
    "no choices": fake.raw(b'{"id": "x", "object": "error", "choices": null}'),
    "empty choices": fake.raw(b'{"id": "x", "choices": []}'), "a list": fake.raw(b"[1, 2]"),
    "null message": fake.raw(b'{"id": "x", "choices": [{"index": 0, "message": null}]}'),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_fault_that_passes_is_retried(fault: Any) -> None:
    with serving(fault, fault, called(("crop", CROP)), fault, called(("answer", ANSWER))) as server:
        answer, steps = turn(server, say="Look at it")
        assert answer.kind == "answer"
        assert [step.status for step in steps] == ["ok"]
        assert len(server.chats) == 5


@pytest.mark.parametrize("fault", [PASSING[name] for name in ("error", "reset", "dies", "broken json")])
def test_a_fault_that_stays_is_one_line_and_the_turn_goes_on_later(fault: Any) -> None:
    with serving(called(("crop", CROP)), fault) as server:
        work = bench(server, vllm_retries=1)
        key = work.start(double.part())
        with pytest.raises(Unavailable) as caught:
            work.say(key, "Look at it")
        assert server.url in one_line(caught.value)
        assert len(server.chats) == 3
        with pytest.raises(StoreError, match="has not ended"):
            work.say(key, "Hello?")
        assert len(work.inspector.trace(key).turns[-1].steps) == 1
        server.script[:] = [called(("answer", ANSWER))]
        events = list(work.inspector.resume(key))
        assert not any(isinstance(event, StepDone) for event in events)
        assert work.inspector.trace(key).turns[-1].answer.kind == "answer"


def test_retries_wait_longer_each_time_and_as_long_as_the_server_says(delays: list[float]) -> None:
    with serving(status(503, "loading"), status(503, "loading"), called(("answer", ANSWER))) as server:
        turn(server)
    assert len(delays) == 2
    assert 0 < delays[0] < delays[1]
    delays.clear()
    with serving(status(429, "slow down", {"Retry-After": "7"}), called(("answer", ANSWER))) as server:
        turn(server)
    assert delays == [7.0]


def test_the_server_dies_and_comes_back() -> None:
    with serving(called(("crop", CROP))) as server:
        work = bench(server)
        key = work.start(double.part())
        events = work.inspector.say(key, "Look at it")
        for event in events:
            if isinstance(event, StepDone):
                break
        port = server.port
    with pytest.raises(Unavailable, match="no server answers"):
        list(events)
    with serving(called(("answer", ANSWER)), port=port) as server:
        list(work.inspector.resume(key))
        finished = work.inspector.trace(key).turns[-1]
        assert finished.answer and finished.answer.kind == "answer"
        assert len(finished.steps) == 1
        assert [m["role"] for m in server.chats[0].messages] == ["system", "user", "assistant", "tool", "user"]


def test_a_server_that_hangs() -> None:
    with serving(fake.hang(30)) as server:
        start = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            turn(server, vllm_timeout=0.4, vllm_retries=1)
        assert time.monotonic() - start < 5
        assert "did not answer within 0.4 s" in one_line(caught.value)
        assert len(server.chats) == 2


def test_a_server_that_hangs_once() -> None:
    with serving(fake.hang(30), called(("answer", ANSWER))) as server:
        assert turn(server, vllm_timeout=0.5)[0].kind == "answer"


STATUSES = {
    401: ("Unauthorized", "refuses the key"), 403: ("Forbidden", "refuses the key"),
    404: ("The model `x` does not exist.", "check vllm_model"), 418: ("I am a teapot", "418: I am a teapot"),
    400: ('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', "tool call parser"),
}


@pytest.mark.parametrize(("code", "words", "wanted"), [(c, w, x) for c, (w, x) in STATUSES.items()])
def test_refusals_are_not_retried_and_say_what_to_do(code: int, words: str, wanted: str) -> None:
    with serving(status(code, words)) as server:
        with pytest.raises(Unavailable) as caught:
            turn(server)
        assert wanted in one_line(caught.value)
        assert len(server.chats) == 1


def test_a_server_that_lists_no_models_is_asked_for_the_configured_one() -> None:
    def hidden(handler: Any) -> None:
        handler.fake.received.append(fake.Received("GET", handler.path, {}, {}))
        handler.send(404, {"detail": "Not Found"})
    with serving(called(("answer", ANSWER))) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake.Handler, "do_GET", hidden)
        assert turn(server, vllm_model="mine")[0].kind == "answer"
        assert server.chats[0].body["model"] == "mine"
        with pytest.raises(Unavailable, match="vllm_url ends in /v1"):
            bench(server)


def test_a_redirect_is_not_followed() -> None:
    with serving(called(("answer", ANSWER))) as other, \
            serving(status(307, "", {"Location": f"{other.url}/chat/completions"})) as server:
        with pytest.raises(Unavailable, match="points elsewhere"):
            turn(server)
        assert not other.received


def too_many(limit: int) -> Any:
    """A server with a cap on pictures, as vLLM words it."""
    text = f"At most {limit} image(s) may be provided in one prompt. Set `--limit-mm-per-prompt` to increase it."
    return lambda ok: lambda request: status(400, text) if len(request.pictures) > limit else ok


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_too_many_pictures_are_pruned_and_the_cap_is_kept(limit: int) -> None:
    guard = too_many(limit)
    # Each entry of the script is one request; a refused one is followed by its smaller repetition.
    crops = [called(("crop", {**CROP, "box": [10 * i, 10, 10 * i + 80, 90]})) for i in range(5)]
    state = {"at": 0}

    def reply(request: Any) -> Any:
        ok = crops[state["at"]] if state["at"] < 5 else called(("answer", ANSWER))
        chosen = guard(ok)(request)
        state["at"] += chosen is ok
        return chosen

    with serving(reply) as server:
        work = bench(server, vllm_pictures=6)
        key = work.start(double.part())
        assert work.say(key, "Look everywhere").kind == "answer"
        assert len(work.inspector.trace(key).turns[0].steps) == 5
        refused = [chat for chat in server.chats if len(chat.pictures) > limit]
        assert len(refused) == 1, "the cap is learnt from the first refusal"
        assert all(chat.pictures[0] == server.chats[0].pictures[0] for chat in server.chats)
        if limit > 1:
            assert len(server.chats[-1].pictures) > 1, "the newest view is shown"


TOO_LONG = ("This model's maximum context length is 4096 tokens. However, you requested 9000 tokens (6952 in the "
            "messages, 2048 in the completion). Please reduce the length of the messages or completion.")


@pytest.mark.parametrize("words", [TOO_LONG, (
    "The decoder prompt (length 10127) is longer than the maximum model length of 8192. Make sure that `max_model_len` "
    "is no smaller than the number of text tokens plus multimodal tokens."),
    "max_tokens must be at least 1, got -186."])
def test_a_prompt_that_is_too_long_is_pruned_and_sent_once_more(words: str) -> None:
    def reply(request: Any) -> Any:
        if len(request.pictures) > 2:
            return status(400, words)
        return called(("crop", CROP)) if len(server.chats) < 5 else called(("answer", ANSWER))

    with serving(reply) as server:
        answer, _ = turn(server, say="Look at it")
        assert answer.kind == "answer"
        assert max(len(chat.pictures) for chat in server.chats) > 2
        assert "left out to save room" in json.dumps(server.chats[-1].messages)


def test_a_prompt_that_stays_too_long_is_one_line() -> None:
    with serving(called(("crop", CROP)), called(("crop", CROP)), status(400, TOO_LONG)) as server:
        with pytest.raises(Unavailable) as caught:
            turn(server)
        assert "longer context" in one_line(caught.value)
        assert len(server.chats) == 4


@pytest.mark.parametrize("words", [
    "my-llama is not a multimodal model", "At most 0 image(s) may be provided in one prompt."])
def test_a_model_without_eyes(words: str) -> None:
    with serving(status(400, words)) as server, pytest.raises(Unavailable, match="takes no pictures"):
        turn(server)


WRONG = {
    "unknown tool": (("polish", CROP), "there is no tool 'polish'"),
    "no name": (("", CROP), "there is no tool ''"),
    "cut off": (("crop", '{"why": "To look.", "box": [100, 10'), "arguments_were_cut_off"),
    "not an object": (("crop", "[1, 2]"), "arguments_were_cut_off"),
    "nothing": (("crop", ""), "why: Field required"),
    "null": (("crop", "null"), "why: Field required"),
    "no why": (("crop", {"box": [0, 0, 10, 10]}), "why: Field required"),
    "empty why": (("crop", {**CROP, "why": ""}), "why:"),
    "extra": (("crop", {**CROP, "angle": 3}), "angle: Extra inputs"),
    "three numbers": (("crop", {**CROP, "box": [1, 2, 3]}), "box"),
    "words for a box": (("crop", {**CROP, "box": "upper left"}), "box"),
    "fractions": (("crop", {**CROP, "box": [0.1, 0.1, 0.5, 0.5]}), "box"),
    "outside": (("crop", {**CROP, "box": [1200, 100, 1500, 400]}), "lies outside"),
    "inverted": (("crop", {**CROP, "box": [700, 100, 200, 400]}), "expected x0 < x1"),
    "empty box": (("crop", {**CROP, "box": [700, 100, 700, 400]}), "expected x0 < x1"),
    "no such view": (("crop", {**CROP, "view": "v9"}), "there is no view 'v9'"),
    "view of a wrong kind": (("crop", {**CROP, "view": ["v0"]}), "view"),
    "bad answer": (("answer", {**ANSWER, "kind": "verdict", "verdict": "ok"}), "kind"),
    "empty answer": (("answer", {**ANSWER, "text": ""}), "text"),
    "bad question": (("ask", "{}"), "question"),
    "infinite": (("crop", '{"why": "w", "view": null, "box": [0, 0, Infinity, 9]}'), "box"),
    "endless": (("crop", '{"why": "w", "box": ' + "[" * 60 + "]" * 60 + "}"), "arguments_were_cut_off"),
    "half a character": (("crop", '{"why": "w", "box": null, "\\ud83d": "\\ud83d"}'), "box"),
    "enormous": (("crop", '{"why": "w", "view": null, "box": [0, 0, 1' + "0" * 400 + ", 9]}"), "box"),
}


@pytest.mark.parametrize(("call", "reason"), WRONG.values(), ids=WRONG)
def test_a_wrong_call_is_handed_back_and_can_be_corrected(call: Any, reason: str) -> None:
    with serving(called(call), called(("crop", CROP)), called(("answer", ANSWER))) as server:
        answer, steps = turn(server, say="Look at it")
        assert answer.kind == "answer"
        assert [step.status for step in steps] == ["refused", "ok"]
        assert reason in str(steps[0].error)
        told = json.loads(server.chats[1].messages[3]["content"])
        assert told["status"] == "refused"
        assert told["error"]
        for message in server.chats[1].messages:
            for made in message.get("tool_calls", ()):
                assert isinstance(json.loads(made["function"]["arguments"]), dict)


@pytest.mark.parametrize("name", [
    "unknown tool", "cut off", "nothing", "outside", "inverted", "bad answer", "enormous"])
def test_a_wrong_call_without_end_is_uncertain(name: str) -> None:
    with serving(called(WRONG[name][0])) as server:
        answer, steps = turn(server)
        assert answer.verdict == "uncertain"
        assert answer.reasons == ("limit.invalid:3",)
        assert len(steps) == 3
        assert len(server.chats) == 3


def test_an_error_about_a_box_speaks_of_what_the_model_said() -> None:
    with serving(called(("crop", {**CROP, "box": [1200, 100, 1500, 400]})), called(("answer", ANSWER))) as server:
        turn(server)
        told = json.loads(server.chats[1].messages[3]["content"])
        assert "[1200, 100, 1500, 400]" in told["error"]
        assert "[0, 0, 1000, 1000]" in told["error"]


READ = {
    "text of a text": json.dumps(json.dumps(CROP)), "box as text": {**CROP, "box": "[100, 100, 400, 400]"},
    "whole floats": {**CROP, "box": [100.0, 100.0, 400.0, 400.0]},
    "line break": json.dumps(CROP).replace("look.", "look\n."),
}


@pytest.mark.parametrize("args", READ.values(), ids=READ)
def test_arguments_in_odd_clothes_are_read(args: Any) -> None:
    with serving(called(("crop", args)), called(("answer", ANSWER))) as server:
        _, steps = turn(server)
        assert steps[0].boxes == ((40, 30, 160, 120),)


def test_arguments_as_an_object_instead_of_text_are_read() -> None:
    reply = fake.message({"role": "assistant", "content": None, "tool_calls": [
        {"type": "function", "function": {"name": "crop", "arguments": CROP}}, None, {"function": None}]})
    with serving(reply, called(("answer", ANSWER))) as server:
        _, steps = turn(server)
        assert [step.status for step in steps] == ["ok", "refused"]


@pytest.mark.parametrize("reply", [
    said("The part is ok."), said(""), fake.message({"role": "assistant", "content": None}),
    said('{"name": "crop", "arg', finish="length"), said("half a character: \ud83d")])
def test_no_call_without_end_is_uncertain(reply: Any) -> None:
    with serving(reply) as server:
        answer, steps = turn(server)
        assert answer.verdict == "uncertain"
        assert answer.reasons == ("limit.invalid:3",)
        assert not steps
        assert "No tool was called" in json.dumps(server.chats[1].messages)


def test_an_endless_loop_ends_in_uncertain() -> None:
    with serving(called(("crop", CROP))) as server:
        answer, steps = turn(server, limits=Limits(steps=7))
        assert answer.verdict == "uncertain"
        assert answer.reasons == ("limit.steps:7",)
        assert len(steps) == 7


def test_a_thousand_calls_at_once_end_in_uncertain() -> None:
    with serving(called(*[("crop", CROP)] * 1000), called(("answer", ANSWER))) as server:
        work = bench(server, limits=Limits(steps=5))
        key = work.start(double.part())
        assert work.say(key, "Look").verdict == "uncertain"
        assert len(work.inspector.trace(key).turns[0].steps) == 5
        work.say(key, "And now?")
        roles = [m["role"] for m in server.chats[-1].messages]
        assert roles.count("tool") == 1000
        assert roles[-2:] == ["assistant", "user"]


def test_a_slow_server_ends_in_uncertain() -> None:
    def slowly(request: Any) -> Any:
        server.released.wait(0.15)
        return called(("crop", CROP))

    with serving(slowly) as server:
        answer, _ = turn(server, limits=Limits(seconds=0.4))
        assert answer.verdict == "uncertain"
        assert answer.reasons == ("limit.seconds:0.4",)


def test_after_a_turn_that_was_cut_off_the_dialogue_is_sound() -> None:
    script = [called(("crop", CROP))] * 4 + [called(("answer", ANSWER))]
    with serving(*script) as server:
        work = bench(server, limits=Limits(steps=4))
        key = work.start(double.part())
        cut = work.say(key, "Look")
        assert cut.verdict == "uncertain"
        work.say(key, "Go on")
        messages = server.chats[-1].messages
        assert messages[-2] == {"role": "assistant", "content": cut.text}
        assert messages[-1]["content"] == "Go on"


def test_a_lie_after_a_failing_tool_is_never_ok() -> None:
    tools = double.catalogue(double.failing("detect"))
    script = (called(("detect", {"why": "w", "view": None, "box": None})), called(("answer", FINE)))
    with serving(*script) as server:
        answer, steps = turn(server, tools=tools)
        assert steps[0].status == "failed"
        assert answer.verdict == "uncertain"
        assert any(reason.startswith("step.failed:1") for reason in answer.reasons)


@pytest.mark.parametrize("text", [
    "No defects found, the part passes.", "合格です。異常なし。", "The scratch is 12.5 mm long [1]."])
def test_a_lie_without_any_step_is_never_ok(text: str) -> None:
    with serving(called(("answer", {**FINE, "text": text}))) as server:
        answer, _ = turn(server)
        assert answer.verdict == "uncertain"
