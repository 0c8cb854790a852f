"""`--planner local` without torch: what is wrong with a folder is one line, prompts and calls have the right form."""

import json
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jinja2 import Environment
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolCall, ToolMessage

from agent.planners import hf_files
from agent.planners.hf_calls import reply, structural_tag
from agent.planners.hf_files import adapter_folder, model_folder
from agent.planners.hf_prompt import conversation, missing, opened
from agent.planners.table import planner_named
from agent.planners.vllm_pictures import data_uri
from agent.planners.vllm_reply import UNREADABLE
from agent.planners.vllm_schema import strict_tools
from kenpin.config import Settings
from kenpin.contracts.errors import FileRefused, KenpinError, MissingExtra, Unavailable
from tools.catalog import OFFERED

ROOT = Path(__file__).parents[2]
TRAINED = ROOT / "models" / "planner-small"


def safetensors(*names: str, short: int = 0) -> bytes:
    """A file of tensors of two numbers each, `short` bytes too short."""
    places = {name: {"dtype": "F32", "shape": [2], "data_offsets": [8 * i, 8 * i + 8]} for i, name in enumerate(names)}
    header = json.dumps({"__metadata__": {"format": "pt"}, **places}).encode()
    return (struct.pack("<Q", len(header)) + header + bytes(8 * len(names)))[:None if not short else -short]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "some-model"
    folder.mkdir()
    text = {"num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
            "max_position_embeddings": 262144}
    (folder / "config.json").write_text(json.dumps({
        "model_type": "qwen3_vl", "architectures": ["Qwen3VLForConditionalGeneration"], "text_config": text,
        "vision_config": {}}))
    (folder / "model.safetensors").write_bytes(safetensors("a", "b"))
    return folder


def read(folder: Path | None) -> hf_files.Folder:
    return model_folder(Settings(local_model=folder))


def test_what_a_folder_says(model: Path) -> None:
    folder = read(model)
    assert folder.name == "some-model"
    assert folder.names == ("qwen3_vl", "Qwen3VLForConditionalGeneration")
    assert folder.context == 262144
    assert folder.token_bytes == 36 * 8 * 128 * 4 == 144 * 1024, "as docs/serving.md says of Qwen3-VL 8B"
    assert folder.weights == (model / "model.safetensors").stat().st_size
    (model / "model.safetensors").write_bytes(safetensors("a", "b", "c"))
    assert read(model) != folder, "another model under the same name is not taken for the first"


def broken(model: Path, what: str) -> None:
    config, weights = model / "config.json", model / "model.safetensors"
    match what:
        case "no config":
            config.unlink()
        case "no object":
            config.write_text("[1]")
        case "half a config":
            config.write_text(config.read_text()[:20])
        case "words only":
            config.write_text(json.dumps({"model_type": "qwen3"}))
        case "pickled":
            weights.rename(model / "pytorch_model.bin")
        case "cut off":
            weights.write_bytes(safetensors("a", "b", short=3))
        case "no safetensors":
            weights.write_bytes(b"version https")
        case "endless header":
            weights.write_bytes(struct.pack("<Q", 2**60))


BROKEN = {"no config": "config.json", "no object": "config.json", "half a config": "config.json",
          "words only": "without eyes", "pickled": "can run code", "cut off": "copy the model again",
          "no safetensors": "safetensors", "endless header": "safetensors"}


@pytest.mark.parametrize(("what", "said"), BROKEN.items())
def test_a_folder_that_is_no_model_is_one_line(model: Path, what: str, said: str) -> None:
    broken(model, what)
    with pytest.raises(FileRefused, match=said) as caught:
        read(model)
    assert str(model) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("folder", [None, Path("/nowhere/at/all")])
def test_no_model_is_one_line(folder: Path | None) -> None:
    with pytest.raises(Unavailable, match="KENPIN_LOCAL_MODEL") as caught:
        read(folder)
    assert caught.value.exit_code == 3


def test_what_an_adapter_must_be(model: Path, tmp_path: Path) -> None:
    def found(folder: Path | None) -> Any:
        return adapter_folder(Settings(local_adapter=folder))

    assert found(None) is None
    with pytest.raises(Unavailable, match="KENPIN_LOCAL_ADAPTER"):
        found(tmp_path / "none")
    with pytest.raises(FileRefused, match="no LoRA adapter"):
        found(model)
    (model / "adapter_config.json").write_text("{}")
    (model / "adapter_model.safetensors").write_bytes(safetensors("x.lora_A.weight", "x.lora_B.weight"))
    assert found(model).names == ("x.lora_A.weight", "x.lora_B.weight")


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    monkeypatch.setattr(hf_files, "find_spec", lambda name: None if name == "xgrammar" else object())
    with pytest.raises(MissingExtra, match=r"kenpin\[local\]") as caught:
        planner_named("local", Settings(local_model=model), OFFERED)
    assert caught.value.exit_code == 3


def test_importing_it_needs_no_extra() -> None:
    program = ("import sys\nimport agent.planners.hf_local, agent.planners.hf_probe\n"
               "heavy = {'torch', 'transformers', 'xgrammar', 'peft'} & set(sys.modules)\nassert not heavy, heavy")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_form_of_a_reply_is_one_call_of_a_tool() -> None:
    tools = strict_tools(OFFERED, "per_mille")
    form = structural_tag(tools)["format"]
    assert (form["at_least_one"], form["stop_after_first"]) == (True, True)
    begins = [tag["begin"] for tag in form["tags"]]
    assert len(set(begins)) == len(begins) == 2 * len(tools)
    schemas = {tag["begin"].split('"')[3]: tag["content"]["json_schema"] for tag in form["tags"]}
    assert schemas == {tool["function"]["name"]: tool["function"]["parameters"] for tool in tools}


USED = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def test_a_reply_becomes_a_call() -> None:
    said = reply('<tool_call>\n{"name": "ask", "arguments": {"why": "a </tool_call> b"}}\n</tool_call>', cut=False,
                 model="m", used=USED)
    [call] = said.tool_calls
    assert (call["name"], call["args"]) == ("ask", {"why": "a </tool_call> b"})
    assert said.content == ""
    assert said.response_metadata == {"model_name": "m", "token_usage": USED, "finish_reason": "tool_calls"}


@pytest.mark.parametrize("text", ['<tool_call>\n{"name": "ask", "argu', "", "The part is fine.", "<tool_call></tool_call>",
                                  "<tool_call>[1]</tool_call>", '<tool_call>{"name": 3}</tool_call>',
                                  "<tool_call>" + "[" * 5000 + "]" * 5000 + "</tool_call>"])
def test_a_reply_that_is_no_call_is_text(text: str) -> None:
    said = reply(text, cut=True, model="m", used=USED)
    assert not said.tool_calls
    assert said.content == text
    assert said.response_metadata["finish_reason"] == "length"


def test_arguments_that_no_store_takes_are_said_to_be_unreadable() -> None:
    said = reply('<tool_call>{"name": "ask", "arguments": ' + '{"a":' * 30 + "1" + "}" * 30 + "}</tool_call>", cut=False,
                 model="m", used=USED)
    assert list(said.tool_calls[0]["args"]) == [UNREADABLE]


def test_messages_become_what_a_chat_template_takes() -> None:
    pixels = np.arange(32 * 64 * 3, dtype=np.uint8).reshape(32, 64, 3)
    picture = {"type": "image_url", "image_url": {"url": data_uri(pixels, width=64, height=32)}}
    call = ToolCall(name="zoom", args={"why": "傷", "box": [1, 2, 3, 4]}, id="call00000", type="tool_call")
    said, files = conversation([
        SystemMessage("Rules."), HumanMessage([{"type": "text", "text": "Look."}, picture]),
        AIMessage("", tool_calls=[call]), ToolMessage("seen", tool_call_id="call00000"),
        ToolMessage([{"type": "text", "text": "seen"}, picture], tool_call_id="call00001"), AIMessage("Done.")])
    text = [{"type": "text", "text": "Rules."}]
    assert said == [
        {"role": "system", "content": text},
        {"role": "user", "content": [{"type": "text", "text": "Look."}, {"type": "image"}]},
        {"role": "assistant", "content": [], "tool_calls": [
            {"id": "call00000", "type": "function", "function": {"name": "zoom", "arguments": call["args"]}}]},
        {"role": "tool", "content": "seen", "tool_call_id": "call00000"},
        {"role": "tool", "content": [{"type": "text", "text": "seen"}, {"type": "image"}], "tool_call_id": "call00001"},
        {"role": "assistant", "content": [{"type": "text", "text": "Done."}]}]
    assert [np.array_equal(np.asarray(opened(file)), pixels) for file in files] == [True, True]


def test_a_picture_is_never_fetched() -> None:
    with pytest.raises(ValueError):
        conversation([HumanMessage([{"type": "image_url", "image_url": {"url": "file:///etc/passwd;base64,@@"}}])])


def lacks(template: str) -> str | None:
    compiled = Environment().from_string(template)  # a prompt is no page
    return missing(lambda messages, tools: compiled.render(messages=messages, tools=tools, add_generation_prompt=True))


def test_the_template_is_asked_what_it_shows() -> None:
    trained = (TRAINED / "chat_template.jinja").read_text(encoding="utf-8")
    assert lacks(trained) is None
    assert lacks(trained.replace("tool.function.name", "''")) == "takes no tools"
    assert str(lacks(trained.replace('{"name": "', "<function="))).startswith("writes calls in another form")
    assert lacks(trained.replace("('user', 'tool')", "('user', 'x')")) == "leaves out tool messages"
    assert lacks(trained.replace("('user', 'tool')", "('tool', 'x')")) == "leaves out user messages"


def test_the_trained_model_is_one() -> None:
    folder = read(TRAINED)
    assert folder.context == 8192
    assert folder.weights == 28263304


def test_every_error_is_one_of_ours(model: Path) -> None:
    shutil.rmtree(model)
    model.write_text("a file")
    with pytest.raises(KenpinError):
        read(model)


def test_the_lock_agrees_with_the_one_of_the_base() -> None:
    """Both are installed into one environment."""
    def pins(name: str) -> set[tuple[str, str]]:
        text = (ROOT / name).read_text(encoding="utf-8")
        return set(re.findall(r"^([a-z0-9_.-]+)==([^ ;\n]+)", text, re.MULTILINE))

    base, local = pins("requirements.lock"), pins("local.lock")
    known = {name for name, _ in base}
    assert {(name, version) for name, version in local if name in known} <= base
    assert ("torch", "2.13.0+cpu") in local
    assert "://" not in (ROOT / "local.lock").read_text(encoding="utf-8")
