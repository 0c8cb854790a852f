"""Dialogues that outgrow the context of their server, in words as well as in pictures: they go on, the trace keeps all,
and the beginning of the prompt changes seldom. The server counts as vLLM does and refuses in its words."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.planners.vllm_prune import Cut, cut_at
from agent.planners.vllm_server import vllm_planner
from agent.policy import Limits
from kenpin.config import Settings
from kenpin.contracts.errors import Unavailable
from tests.doubles import load

fake, double = load("fake_openai"), load("inspection_double")
called, serving, status = fake.called, fake.serving, fake.status
CONTEXT = 8192
REPLY = CONTEXT // 4
LETTERING = "LOT 4711 / 検査済み 2026-01-31 / " * 60
WORDS = {
    "0.32": "This model's maximum context length is {context} tokens. However, you requested {all} tokens ({prompt} in the "
            "messages, {reply} in the completion). Please reduce the length of the messages or completion.",
    "input": "'max_tokens' is too large: {reply}. This model's maximum context length is {context} tokens and your request "
             "has {prompt} input tokens ({reply} > {context} - {prompt}).",
    "silent": "max_tokens must be at least 1, got -{prompt}.",
}


@pytest.fixture(autouse=True)
def plain_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KENPIN_HOME", str(tmp_path))


def tokens(request: Any) -> int:
    """A prompt as a server counts it: 2.6 bytes a token, tools included, and 600 a picture."""
    messages = json.dumps([
        {**m, "content": [p for p in m["content"] if p["type"] == "text"] if isinstance(m["content"], list) else m["content"]}
        for m in request.messages], ensure_ascii=False)
    tools = json.dumps(request.body["tools"])
    return round((len(messages.encode()) + len(tools.encode())) / 2.6) + 600 * len(request.pictures)


class Narrow:
    """A server with a small context."""

    def __init__(self, next_reply: Callable[[Any], Any], words: str = WORDS["0.32"]) -> None:
        self.reply, self.words = next_reply, words
        self.taken: list[Any] = []
        self.refused = 0

    def __call__(self, request: Any) -> Any:
        if not request.path.endswith("/chat/completions"):
            return status(404)
        count = tokens(request)
        if count + REPLY > CONTEXT:
            self.refused += 1
            return status(400, self.words.format(context=CONTEXT, all=count + REPLY, prompt=count, reply=REPLY))
        self.taken.append(request)
        return self.reply(request)


def bench(server: Any, steps: int = 60) -> Any:
    tools = double.catalogue(double.reading(LETTERING))
    planner = vllm_planner(Settings(vllm_url=server.url, vllm_pictures=4), double.offered(tools))
    return double.Bench(planner, tools=tools, limits=Limits(steps=steps, seconds=600))


READ = called(("read_text", {"why": "To read the label.", "view": None, "box": None}))


def look(i: int) -> Any:
    return called(("crop", {"why": f"Part {i}.", "view": None, "box": [10 * i % 500, 50, 10 * i % 500 + 300, 700]}))


def end(text: str) -> Any:
    return called(("answer", {"why": "Done.", "text": text, "kind": None, "judged": None, "about": None}))


def sound(messages: list[dict[str, Any]]) -> None:
    """A dialogue that every server takes: each call is answered, users and the model take turns."""
    waiting: list[str] = []
    assert [m["role"] for m in messages[:2]] == ["system", "user"]
    for before, message in pairwise(messages):
        if message["role"] == "tool":
            assert message["tool_call_id"] == waiting.pop(0)
        else:
            assert not waiting
            assert message["role"] != before["role"]
        waiting += [call["id"] for call in message.get("tool_calls", ())]
        assert message["content"] or message.get("tool_calls")
    assert not waiting


MODEL = {"id": fake.MODEL, "object": "model", "root": fake.MODEL, "max_model_len": CONTEXT}


@pytest.mark.parametrize(("words", "turns"), list(zip(WORDS.values(), (30, 12, 12), strict=True)), ids=WORDS)
def test_thirty_turns_in_a_small_context(words: str, turns: int) -> None:
    script = [step for i in range(turns) for step in (look(i), READ, end(f"Turn {i} [{2 * i + 1}]."))]
    narrow = Narrow(lambda request: script[len(narrow.taken) - 1], words)
    with serving(narrow, models=[MODEL]) as server:
        work = bench(server)
        key = work.start(double.part(200, 150))
        for i in range(turns):
            assert work.say(key, f"Question {i}: what does the label say?").text == f"Turn {i} [{2 * i + 1}]."
    trace = work.inspector.trace(key)
    assert [len(turn.steps) for turn in trace.turns] == [2] * turns
    assert all(step.status == "ok" for turn in trace.turns for step in turn.steps)
    assert all(turn.steps[1].result["text"] == LETTERING for turn in trace.turns), "the trace keeps every word"
    assert len(narrow.taken) == 3 * turns
    subject = narrow.taken[0].pictures[0]
    for i, request in enumerate(narrow.taken):
        sound(request.messages)
        assert request.pictures[0] == subject
        assert f"Question {i // 3}" in json.dumps(request.messages), "what is asked now is always in it"
        assert request.messages[0] == narrow.taken[0].messages[0]
    # What was said and answered a turn ago is still known, if only in short.
    assert f"Turn {turns - 2}" in json.dumps(narrow.taken[-1].messages)
    assert narrow.refused <= 1.2 * turns, "a cut leaves room to grow"
    same = [after.messages[:len(before.messages)] == before.messages for before, after in pairwise(narrow.taken)]
    assert sum(same) >= 0.6 * len(same), "most requests begin with the whole of the one before"


def test_one_turn_of_many_steps_in_a_small_context() -> None:
    script = [*([look(i) if i % 2 else READ for i in range(32)]), end("Looked everywhere [1].")]
    narrow = Narrow(lambda request: script[len(narrow.taken) - 1])
    with serving(narrow, models=[MODEL]) as server:
        work = bench(server)
        key = work.start(double.part(200, 150))
        assert work.say(key, "Look everywhere").text == "Looked everywhere [1]."
    assert len(work.inspector.trace(key).turns[0].steps) == 32
    for request in narrow.taken:
        sound(request.messages)
    last = json.dumps(narrow.taken[-1].messages, ensure_ascii=False)
    assert "steps told in short" in last and "[1] read_text ok" in last, "what was done stays known, and can be cited"
    assert narrow.refused <= 16, "a cut serves more than one step"


def test_a_conversation_of_words_only_in_a_small_context() -> None:
    """Long instructions and long answers, no step: nothing but words to shorten."""
    said = "Tell me about the surface. " * 70
    narrow = Narrow(lambda request: end(f"{len(narrow.taken)}: " + "It is grey and has grain. " * 40))
    with serving(narrow, models=[MODEL]) as server:
        work = bench(server)
        key = work.start(double.part(200, 150))
        for i in range(30):
            assert work.say(key, f"{said} ({i})").text.startswith(f"{i + 1}: ")
    for request in narrow.taken:
        sound(request.messages)
    assert "later turns are left out to save room" in json.dumps(narrow.taken[-1].messages)
    assert all(turn.say.startswith(said.strip()[:40]) for turn in work.inspector.trace(key).turns)


def test_two_dialogues_are_cut_each_for_itself() -> None:
    narrow = Narrow(lambda request: READ if request.messages[-1]["role"] == "user" and "read" in
                    json.dumps(request.messages[-1]) else end("Done."))
    with serving(narrow, models=[MODEL]) as server:
        work = bench(server)
        long, short = work.start(double.part(200, 150)), work.start(double.part(200, 150, seed=3))
        work.say(short, "Hello, what is it?")
        for i in range(12):
            work.say(long, f"Please read the label, {i}")
        assert narrow.refused
        refused = narrow.refused
        work.say(short, "And now?")
        assert narrow.refused == refused
        assert "Hello, what is it?" in json.dumps(narrow.taken[-1].messages)
        assert "shortened" not in json.dumps(narrow.taken[-1].messages)


def test_what_cannot_be_made_to_fit_is_one_line_and_the_turn_is_kept() -> None:
    narrow = Narrow(lambda request: status(400, WORDS["0.32"].format(context=CONTEXT, all=9999, prompt=7951, reply=REPLY)))
    with serving(narrow, models=[MODEL]) as server:
        work = bench(server)
        key = work.start(double.part(200, 150))
        with pytest.raises(Unavailable, match="serve it with a longer context") as caught:
            work.say(key, "What is it?")
        assert "\n" not in str(caught.value)
        assert len(server.chats) <= 5
        narrow.reply = lambda request: end("A plate.")
        list(work.inspector.resume(key))
        assert work.inspector.trace(key).turns[0].answer.text == "A plate."


def test_a_cut_that_takes_nothing_away_changes_nothing() -> None:
    narrow = Narrow(lambda request: end("Done."))
    with serving(narrow, models=[MODEL]) as server:
        work = bench(server)
        key = work.start(double.part(200, 150))
        work.say(key, "Look")
        assert "kenpin" not in json.dumps(server.chats[0].messages), "marks of our own stay at home"
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    plain = [SystemMessage("a"), HumanMessage("b"), AIMessage("c"), HumanMessage("d")]
    assert cut_at(plain, Cut()) == plain
    assert cut_at(plain[:1], Cut(brief=9, folded=9)) == plain[:1]


def test_a_model_in_this_process_is_asked_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a model: where it counts too many tokens, the dialogue is cut; later ones begin with what was left."""
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolCall, ToolMessage

    from agent.planners import hf_local
    from agent.planners.vllm_prune import Cuts, weight

    line = hf_local.InProcess.__new__(hf_local.InProcess)
    line._cuts, line.context = Cuts(), 1000
    line.model = SimpleNamespace(folder=SimpleNamespace(path="model"))
    asked: list[Any] = []

    def answer(self: Any, bound: Any, messages: list[Any]) -> AIMessage:
        asked.append(messages)
        if (prompt := weight(messages)) > 750:
            raise hf_local._TooLong(f"{prompt:.0f} tokens", over=prompt / 750)
        return AIMessage("done")

    monkeypatch.setattr(hf_local.InProcess, "_answer", answer)
    said: list[Any] = [SystemMessage("You inspect."), HumanMessage("Look.")]
    bound, refused = hf_local.Bound(tools=(), grammar=None), 0
    for i in range(40):
        call = ToolCall(name="detect", args={"why": "To look."}, id=f"call{i:05d}", type="tool_call")
        said += [AIMessage("", tool_calls=[call]), ToolMessage(json.dumps({"step": i + 1, "status": "ok", "data": {
            "text": "abc " * 40}}), tool_call_id=call["id"] or "", name="detect")]
        before = len(asked)
        assert line.ask(bound, said).content == "done"
        refused += len(asked) - before - 1
    assert 1 <= refused <= 20
    with pytest.raises(Unavailable, match="KENPIN_LOCAL_CONTEXT"):
        line.ask(bound, [HumanMessage("abc " * 2000)])
