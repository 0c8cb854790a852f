"""The real loop on a real server: what it takes, what it shows the model, and that every reply is a call that holds."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from agent.planners.frames import QWEN3
from agent.planners.vllm_chat import Line
from agent.planners.vllm_pictures import data_uri
from agent.planners.vllm_probe import KEPT, first_use, probe
from agent.planners.vllm_schema import strict_tools
from agent.planners.vllm_server import asking_planner, vllm_planner
from kenpin.contracts.errors import Unavailable
from kenpin.serving.command import NOWHERE
from kenpin.wiring import open_kenpin
from tools.catalog import OFFERED

SCHEMAS = {tool["function"]["name"]: tool["function"]["parameters"] for tool in strict_tools(OFFERED, QWEN3.kind)}


def holds(call: dict[str, Any]) -> None:
    """A call of a tool that was offered, with arguments that keep its schema."""
    jsonschema.validate(call["args"], SCHEMAS[call["name"]])


def picture(width: int = 320, height: int = 224, level: int = 200) -> dict[str, Any]:
    pixels = np.full((height, width, 3), level, np.uint8)
    return {"type": "image_url", "image_url": {"url": data_uri(pixels, width=width, height=height)}}


def test_it_is_there(live: Any, home: Path) -> None:
    line = Line(live.settings())
    model = line.served()
    assert (model.context, model.adapter) == (24576, None)
    assert line.raw("/version") == (200, {"version": "0.32.0"})
    assert live.log.stat().st_mode & 0o077 == 0


CALL = {"role": "assistant", "content": "", "tool_calls": [
    {"id": "call00000", "type": "function", "function": {"name": "look", "arguments": "{}"}}]}


def test_pictures_count_wherever_the_template_shows_them(live: Any) -> None:
    text = {"type": "text", "text": "Look."}
    user = [live.tokens([{"role": "user", "content": [text, *more]}]) for more in ([], [picture()])]
    tool = [live.tokens([{"role": "user", "content": "Look."}, CALL,
                         {"role": "tool", "tool_call_id": "call00000", "content": [text, *more]}])
            for more in ([], [picture()])]
    marks = 2
    wanted = (320 // 32) * (224 // 32) + marks
    assert user[1] - user[0] == tool[1] - tool[0] == wanted


def test_one_call_although_more_are_asked_for(live: Any) -> None:
    tools = strict_tools({name: OFFERED[name] for name in ("check_image", "detect")}, "per_mille")
    reply = live.post("/v1/chat/completions", tools=tools, tool_choice="required", parallel_tool_calls=False,
                      temperature=0, max_tokens=400,
                      messages=[{"role": "user", "content": "Call check_image and detect, both at once."}])
    calls = reply["choices"][0]["message"]["tool_calls"]
    assert len(calls) == 1
    holds({"name": calls[0]["function"]["name"], "args": json.loads(calls[0]["function"]["arguments"])})


def test_another_picture_under_the_same_words_is_another_prompt(live: Any) -> None:
    """A prefix cache that mixed pictures up would give the first answer again (vllm#20261)."""
    tools = strict_tools({"answer": OFFERED["answer"]}, "per_mille")

    def said(level: int) -> Any:
        ask = {"role": "user", "content": [picture(640, 640, level), {"type": "text", "text": "What is it?"}]}
        reply = live.post("/v1/chat/completions", tools=tools, temperature=0, max_tokens=24, logprobs=True,
                          tool_choice="required", messages=[ask])
        return [token["logprob"] for token in reply["choices"][0]["logprobs"]["content"]]

    dark, bright = said(20), said(235)
    assert dark != bright
    assert said(20) == pytest.approx(dark, abs=1e-3)


def test_the_probe_finds_out_by_asking(live: Any, home: Path) -> None:
    found = probe(live.settings(vllm_pictures=9))
    assert found.calls
    assert found.taken
    assert found.in_tools
    assert found.model.context == 24576
    assert not found.pictures, "random weights see nothing"
    assert found.most_pictures == 6, "as kenpin serve was told"
    assert any("does not see" in line for line in found.advice)


def test_the_first_use_chooses_the_way_and_remembers_it(live: Any, home: Path, double: Any,
                                                        overheard: list[Any]) -> None:
    settings = live.settings(home=home, vllm_frame="per_mille")
    home.mkdir(parents=True)
    way = first_use(settings)
    assert (way.counted, way.taken, way.in_tools, way.most) == (True, True, True, None)
    assert (home / KEPT).is_file()
    before = len(overheard)
    assert first_use(settings) == way
    assert len(overheard) == before, "the same run of the server is not asked twice"
    assert asking_planner(settings, OFFERED).info.backend == "vllm"


def test_the_doctor_reports_the_server(live: Any, home: Path) -> None:
    from kenpin.doctor import examine

    found = {line.what: line for line in examine(open_kenpin(live.settings(home=home), console=True))}
    assert found["planner vllm"].ok
    assert found["server calls tools"].ok
    assert "tool messages" in found["server takes pictures"].says


def test_the_server_fetches_nothing(live: Any) -> None:
    """An address in a request must not make the server reach into the network (SSRF)."""
    import socket
    from threading import Thread

    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(5)
        came: list[Any] = []

        def watch() -> None:
            with suppress(TimeoutError):
                came.append(trap.accept())

        watcher = Thread(target=watch)
        watcher.start()
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/a.png"
        reply = live.post("/v1/chat/completions", max_tokens=1, messages=[
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}])
        watcher.join()
    assert reply["status"] == 400
    assert NOWHERE in json.dumps(reply)
    assert not came


def test_an_adapter_speaks_differently_and_stands_in_the_trace(live: Any, home: Path) -> None:
    line = Line(live.settings(vllm_model="line-a"))
    assert line.served().adapter == "line-a"
    planner = vllm_planner(live.settings(vllm_model="line-a"), OFFERED, "en")
    assert (planner.info.model, planner.info.adapter) == ("line-a", "line-a")

    def said(model: str) -> Any:
        reply = live.post("/v1/chat/completions", model=model, temperature=0, max_tokens=16, logprobs=True,
                          messages=[{"role": "user", "content": "What is it?"}])
        return [token["logprob"] for token in reply["choices"][0]["logprobs"]["content"]]

    plain, adapted = said("kenpin-random"), said("line-a")
    assert plain != pytest.approx(adapted, abs=1e-2)
    assert said("kenpin-random") == pytest.approx(plain, abs=1e-3)


def test_a_server_that_takes_no_such_model_says_which_it_has(live: Any, home: Path) -> None:
    with pytest.raises(Unavailable, match="it serves: kenpin-random"):
        vllm_planner(live.settings(vllm_model="other"), OFFERED)
