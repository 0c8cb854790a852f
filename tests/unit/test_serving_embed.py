"""`kenpin serve --embed` without vLLM: what it would start, and that deploy/ starts the same."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from kenpin.config import Settings
from kenpin.contracts.errors import BadInput, Unavailable
from kenpin.serving import machine, planning
from kenpin.serving.cards import Card
from kenpin.serving.command import command, shown, variables
from kenpin.serving.machine import Home

ROOT = Path(__file__).parents[2]
CPU = Home(python=Path("/env/bin/python"), device="cpu", version="0.32.0")
GPU = Home(python=Path("/env/bin/python"), device="gpu", version="0.32.0")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    text = {"num_attention_heads": 16, "max_position_embeddings": 262144}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen3_vl", "text_config": text}))
    return tmp_path


def plan(monkeypatch: pytest.MonkeyPatch, model: Path | str, home: Home, found: int = 0, **more: Any) -> Any:
    monkeypatch.setattr(machine, "find_home", lambda chosen: home)
    there = tuple(Card(index=n, name="NVIDIA H100 80GB HBM3", total_gib=79.6) for n in range(found))
    monkeypatch.setattr(planning, "found", lambda: there)
    return planning.made(Settings(home=Path("/data")), str(model), embed=True, **more)


def value(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1]


def test_the_compose_file_starts_the_embedding_server_as_kenpin_does(
    monkeypatch: pytest.MonkeyPatch, model: Path,
) -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    service = compose["services"]["embed"]
    assert service["profiles"] == ["embed"], "only where it is asked for"
    flags = dict(word.removeprefix("--").partition("=")[::2] for word in service["command"])
    words = command(plan(monkeypatch, model, GPU, 1, name="embedder", share=0.15, port=8002))
    ours = dict(zip((word.removeprefix("--") for word in words[3::2]), words[4::2], strict=True))
    share = flags.pop("gpu-memory-utilization")
    assert share == "${KENPIN_EMBED_SHARE:-0.15}" and ours.pop("gpu-memory-utilization") == "0.15"
    for name in set(ours) - {"model", "host"}:
        assert flags[name] == ours[name], name
    assert set(flags) == set(ours) - {"host"}


def test_an_embedding_server_gets_what_pictures_and_words_need(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    made = plan(monkeypatch, model, GPU, 4, share=0.15)
    words = command(made)
    assert value(words, "--runner") == "pooling"
    assert json.loads(value(words, "--limit-mm-per-prompt")) == {"image": 1, "video": 0}
    assert json.loads(value(words, "--mm-processor-kwargs"))["size"]["longest_edge"] == 448**2
    assert value(words, "--allowed-media-domains") == "none.invalid"
    assert value(words, "--host") == "127.0.0.1"
    assert value(words, "--max-model-len") == "4096"
    assert value(words, "--gpu-memory-utilization") == "0.15"
    assert not [word for word in words if "tool" in word or "structured" in word or "parallel" in word]
    assert "secret" not in shown(words, variables(made, "secret"))
    assert variables(made, "secret")["VLLM_API_KEY"] == "secret"
    for wrong in ({"parser": "hermes"}, {"adapters": ("a=b",)}, {"host": "0.0.0.0"}):
        with pytest.raises(BadInput):
            plan(monkeypatch, model, GPU, 4, **wrong)


def test_a_clip_is_not_told_bounds_that_its_processor_does_not_know(
    monkeypatch: pytest.MonkeyPatch, model: Path,
) -> None:
    (model / "config.json").write_text(json.dumps({
        "model_type": "clip", "vision_config": {}, "text_config": {"max_position_embeddings": 77}}))
    words = command(plan(monkeypatch, model, CPU))
    assert "--mm-processor-kwargs" not in words
    assert value(words, "--max-model-len") == "77"
    assert "--enforce-eager" in words
    (model / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(BadInput, match=r"takes no pictures.*such as CLIP or Qwen3-VL-Embedding"):
        plan(monkeypatch, model, CPU)
    words = command(plan(monkeypatch, "openai/clip-vit-base-patch32", CPU))
    assert value(words, "--max-model-len") == "-1", "the server knows, and fits it to its memory"


def test_a_card_that_a_planner_has_too_is_shared(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    monkeypatch.setattr(machine, "find_home", lambda chosen: GPU)
    busy = (Card(index=0, name="NVIDIA RTX 6000 Ada Generation", total_gib=48.0, used_gib=36.0),)
    monkeypatch.setattr(planning, "found", lambda: busy)
    settings = Settings(home=Path("/data"))
    assert planning.made(settings, str(model), embed=True, share=0.15).cards == 1
    with pytest.raises(Unavailable, match="36 of 48 GiB in use"):
        planning.made(settings, str(model), embed=True)
