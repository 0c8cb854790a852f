"""A model in this process (`--planner local`): what it takes, what it says of itself, and what it refuses."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import HumanMessage

from agent.planners import hf_model
from agent.planners.hf_local import InProcess, local_planner, ways_here
from agent.planners.vllm_pictures import data_uri
from agent.planners.vllm_schema import strict_tools
from kenpin.adapters.keeping import sha256_of
from kenpin.contracts.errors import FileRefused, KenpinError, Unavailable
from kenpin.contracts.trace import Trace
from kenpin.wiring import open_kenpin
from tools.catalog import OFFERED

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.local
small = pytest.mark.parametrize("way", ["small"], indirect=True)
untaught = pytest.mark.parametrize("way", ["random"], indirect=True)


def shown(level: int) -> HumanMessage:
    uri = data_uri(np.full((640, 640, 3), level, np.uint8), width=640, height=640)
    return HumanMessage([{"type": "image_url", "image_url": {"url": uri}}, {"type": "text", "text": "What is it?"}])


def next_token(line: InProcess, *messages: Any) -> np.ndarray:
    """What the model makes of each token that could come next."""
    import torch

    with torch.inference_mode():
        logits = line.model.net(**line.model.inputs(messages, [])).logits
    return np.asarray(logits[0, -1].float().numpy())


@untaught
def test_pictures_reach_it_and_count_in_tool_messages_too(way: Any, home: Path) -> None:
    line = way.line()
    found = ways_here(line, 6)
    assert (found.counted, found.taken, found.in_tools, found.most) == (True, True, True, None)
    text = HumanMessage([{"type": "text", "text": "What is it?"}])
    assert len(line.tokens([shown(20)])) - len(line.tokens([text])) == (640 // 32) ** 2 + 2
    assert not np.allclose(next_token(line, shown(20)), next_token(line, shown(235)), atol=1e-2)


@small
def test_the_same_prompt_gives_the_same_reply(way: Any, home: Path) -> None:
    line = way.line()
    bound = line.bound(line.served(), strict_tools(OFFERED, "per_mille"))
    said = [line.ask(bound, [shown(150)]).model_dump(exclude={"id"}) for _ in range(2)]
    assert said[0] == said[1]


@small
def test_two_sessions_at_once_get_what_each_gets_alone(way: Any, home: Path) -> None:
    line = way.line()
    bound = line.bound(line.served(), strict_tools(OFFERED, "per_mille"))
    asked = [[shown(20)], [HumanMessage("Read the lettering.")]] * 2

    def said(messages: Any) -> Any:
        return line.ask(bound, messages).model_dump(exclude={"id"})

    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(said, asked))
    assert together == [said(messages) for messages in asked[:2]] * 2
    assert together[0] != together[1]


@small
def test_it_is_loaded_once(way: Any, home: Path) -> None:
    assert hf_model.held(way.settings()) is hf_model.held(way.settings(vllm_pictures=2))


@small
def test_the_doctor_says_what_it_can(way: Any, home: Path) -> None:
    from kenpin.doctor import examine

    found = {line.what: line for line in examine(open_kenpin(way.settings(home=home), console=True))}
    assert found["planner local"].says.startswith("planner-small")
    assert found["model calls tools"].ok
    assert found["model takes pictures"].says == "also in tool messages"
    assert found["model's device"].says.startswith("cpu; 0.0 GB of weights") or "cuda" in found["model's device"].says
    assert "8192 tokens" in found["model's room"].says


@small
def test_the_command_line_prints_the_trace_and_nothing_else(way: Any, home: Path, double: Any, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(double.part(640, 480)).save(tmp_path / "part.png")
    given = {"KENPIN_HOME": str(home), "KENPIN_LOCAL_MODEL": str(way.settings().local_model), "PYTHONPATH": str(ROOT),
             "KENPIN_VLLM_LONG_SIDE": "448", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "kenpin.cli", "inspect", str(tmp_path / "part.png"), "Look for scratches.", "--planner",
         "local", "--json"], capture_output=True, text=True, check=False, env={**os.environ, **given})
    assert (done.returncode, done.stderr) == (0, "")
    trace = Trace.model_validate_json(done.stdout)
    info = trace.planner
    assert (info.backend, info.model, info.prompt, info.adapter) == ("local", "planner-small", "planner/1", None)
    assert [step.status for step in trace.turns[0].steps][:1] == ["ok"]


@untaught
def test_an_adapter_speaks_differently_and_stands_in_the_trace(way: Any, home: Path, random_model: Path) -> None:
    settings = way.settings(home=home, local_adapter=random_model.with_name("adapter"))
    plain = next_token(way.line(), shown(150))
    adapted = next_token(InProcess(settings), shown(150))
    assert not np.allclose(plain, adapted, atol=1e-2)
    info = open_kenpin(settings, console=True).inspector().planner.info
    assert (info.adapter, info.adapter_sha256) == ("adapter", sha256_of(random_model.with_name("adapter")))
    assert np.array_equal(next_token(way.line(), shown(150)), plain)


def refused(settings: Any) -> str:
    with pytest.raises(KenpinError) as caught:
        local_planner(settings, OFFERED)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700
    assert isinstance(caught.value, FileRefused)
    return str(caught.value)


@small
def test_an_adapter_of_another_model_is_refused(way: Any, home: Path, random_model: Path, tmp_path: Path) -> None:
    """What a library would leave out with a warning is an error."""
    from safetensors.numpy import load_file, save_file

    assert "adapter" in refused(way.settings(local_adapter=random_model.with_name("adapter")))
    folder = shutil.copytree(random_model.with_name("adapter"), tmp_path / "strange")
    tensors = load_file(folder / "adapter_model.safetensors")
    strange = {name.replace("layers.0", "layers.90"): value for name, value in tensors.items()}
    save_file(strange, folder / "adapter_model.safetensors")
    assert "fit no layer" in refused(way.settings(local_model=random_model, local_adapter=folder, local_context=24576))


def without_a_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors.pop(next(name for name in tensors if "q_proj" in name))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def changed(file: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new), encoding="utf-8")

    return change


SPOILT = {
    "a weight is missing": (without_a_weight, "1 weights are missing"),
    "unknown kind": (changed("config.json", '"qwen3_vl"', '"no_such_kind"'), "cannot be loaded"),
    "code in the folder": (changed("config.json", '"model_type": "qwen3_vl",',
                                   '"model_type": "own", "auto_map": {"AutoConfig": "run.Config"},'), "cannot be loaded"),
    "other sizes": (changed("config.json", '"intermediate_size": 704', '"intermediate_size": 705'), "cannot be loaded"),
    "no tools": (changed("chat_template.jinja", "tool.function.name", "''"), "takes no tools"),
    "no pictures": (changed("chat_template.jinja", "<|image_pad|>", ""), "no pictures"),
    "broken template": (changed("chat_template.jinja", "{%- endfor -%}", ""), "cannot be rendered"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "cannot be loaded"),
}


@small
@pytest.mark.parametrize(("spoil", "said"), SPOILT.values(), ids=SPOILT)
def test_a_spoilt_model_is_one_line(way: Any, home: Path, tmp_path: Path, spoil: Any, said: str) -> None:
    folder = shutil.copytree(way.settings().local_model, tmp_path / "spoilt")
    (folder / "run.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    spoil(folder)
    assert said in refused(way.settings(local_model=folder))
    assert not (tmp_path / "ran").exists(), "no code of a folder is run"


@small
def test_out_of_memory_is_one_line_and_the_turn_goes_on_later(way: Any, home: Path, double: Any, tmp_path: Path,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    planner = way.planner(double.offered(double.catalogue()))
    work = double.Bench(planner)
    key = work.start(double.part(320, 240))
    net = type(way.line().model.net)

    def full(self: Any, **more: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has ...")

    with monkeypatch.context() as patch:
        patch.setattr(net, "generate", full)
        with pytest.raises(Unavailable, match="out of memory") as caught:
            work.say(key, "Zoom in on the upper left.")
    assert "\n" not in str(caught.value)
    list(work.inspector.resume(key))
    assert work.inspector.trace(key).turns[0].answer
    monkeypatch.setattr(hf_model, "memory_free", lambda device: 1000)
    copy = shutil.copytree(way.settings().local_model, tmp_path / "copy")
    with pytest.raises(Unavailable, match="of memory are free"):
        local_planner(way.settings(local_model=copy), OFFERED)
