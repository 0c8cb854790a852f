"""What goes wrong between the planner and its server: each fault ends in a retry that works, in `uncertain`, or in one
clear line with the turn kept. None ends in `ok`."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from agent.events import StepDone
from agent.planners.vllm_server import vllm_planner
from agent.policy import Limits
from kenpin.config import Settings
from kenpin.contracts.errors import StoreError, Unavailable
from kenpin.contracts.trace import Answer, Step
from tests.doubles import load

fake, double = load("fake_openai"), load("inspection_double")
called, serving, status = fake.called, fake.serving, fake.status
ANSWER = {"why": "Done.", "text": "Looked at it.", "kind": None, "judged": None, "about": None}
CROP = {"why": "To look.", "view": None, "box": [100, 100, 400, 400]}


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


def test_a_reply_that_drips_is_bounded_as_a_whole() -> None:
    """Each byte comes in time, the reply does not."""
    with serving(fake.drip(0.05)) as server:
        start = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            turn(server, vllm_timeout=0.6, vllm_retries=0)
        assert time.monotonic() - start < 5
        assert "still sending its reply after 0.6 s" in one_line(caught.value)


def test_a_reply_that_drips_once() -> None:
    with serving(fake.drip(0.05), called(("answer", ANSWER))) as server:
        assert turn(server, vllm_timeout=0.6)[0].kind == "answer"


def test_a_reply_without_end_is_not_taken_into_memory() -> None:
    with serving(fake.endless()) as server:
        with pytest.raises(Unavailable) as caught:
            turn(server, vllm_retries=0)
        assert "more than 16 MiB" in one_line(caught.value)
        assert server.poured < 64 * 2**20


def test_a_reply_that_unpacks_to_gigabytes_is_not_unpacked() -> None:
    with serving(fake.packed(200)) as server:
        with pytest.raises(Unavailable) as caught:
            turn(server, vllm_retries=0)
        assert "compressed reply (gzip)" in one_line(caught.value)
        assert server.chats[0].headers["accept-encoding"] == "identity"


def test_the_questions_beside_the_chat_have_the_same_bounds() -> None:
    from agent.planners.vllm_chat import Line

    for fault in (fake.packed(200), fake.endless(), fake.drip(0.05)):
        with serving(fault) as server:
            assert Line(Settings(vllm_url=server.url, vllm_timeout=0.6)).raw("/tokenize", {"messages": []}) is None
