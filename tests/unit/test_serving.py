"""`kenpin serve` without vLLM: what it would start on which machine, and that what it starts is ended as a whole."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from kenpin.config import Settings
from kenpin.contracts.errors import BadInput, Unavailable
from kenpin.serving import machine, planning
from kenpin.serving.cards import Card
from kenpin.serving.cards import found as found_cards
from kenpin.serving.command import command, shown, variables
from kenpin.serving.machine import Home
from kenpin.serving.process import last_lines, start

ROOT = Path(__file__).parents[2]
CPU = Home(python=Path("/env/bin/python"), device="cpu", version="0.32.0")
GPU = Home(python=Path("/env/bin/python"), device="gpu", version="0.32.0")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    text = {"num_attention_heads": 32, "max_position_embeddings": 262144}
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen3_vl", "text_config": text}))
    return folder


def plan(monkeypatch: pytest.MonkeyPatch, model: Path | str, home: Home, found: int = 0, key: str | None = None,
         **more: Any) -> Any:
    monkeypatch.setattr(machine, "find_home", lambda chosen: home)
    there = tuple(Card(index=n, name="NVIDIA H100 80GB HBM3", total_gib=79.6) for n in range(found))
    monkeypatch.setattr(planning, "found", lambda: there)
    return planning.made(Settings(home=Path("/data"), vllm_key=key), str(model), **more)


def value(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1]


def test_what_calls_and_pictures_need_is_always_there(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    for home, cards in ((CPU, 0), (GPU, 2)):
        words = command(plan(monkeypatch, model, home, cards))
        assert words[:3] == ["/env/bin/python", "-m", "vllm.entrypoints.openai.api_server"]
        assert "--enable-auto-tool-choice" in words
        assert value(words, "--tool-call-parser") == "hermes"
        assert value(words, "--tool-strict-level") == "parameter"
        assert json.loads(value(words, "--structured-outputs-config")) == {
            "backend": "xgrammar", "disable_any_whitespace": True}
        assert json.loads(value(words, "--limit-mm-per-prompt")) == {"image": 6, "video": 0}
        assert json.loads(value(words, "--mm-processor-kwargs"))["size"]["longest_edge"] == 1024**2
        assert value(words, "--allowed-media-domains") == "none.invalid"
        assert value(words, "--host") == "127.0.0.1"
        assert value(words, "--max-model-len") == "32768"


@pytest.mark.parametrize(("kind", "size", "wanted"), [
    ("qwen3_vl", {"shortest_edge": 65536, "longest_edge": 157696}, (65536, 157696)),
    ("qwen3_vl", {"shortest_edge": 65536, "longest_edge": 16777216}, (65536, 1024**2)),
    # Boxes in pixels of the picture as it was sent: it must not be enlarged on the way.
    ("qwen2_5_vl", {"shortest_edge": 65536, "longest_edge": 12845056}, (4096, 1024**2)),
    ("qwen3_vl", None, (4096, 1024**2)),
])
def test_pictures_are_as_large_as_the_model_was_trained_on(
    monkeypatch: pytest.MonkeyPatch, model: Path, kind: str, size: dict[str, int] | None, wanted: tuple[int, int],
) -> None:
    (model / "config.json").write_text(json.dumps({"model_type": kind, "num_attention_heads": 4}))
    if size:
        (model / "preprocessor_config.json").write_text(json.dumps({"size": size}))
    words = command(plan(monkeypatch, model, CPU))
    assert tuple(json.loads(value(words, "--mm-processor-kwargs"))["size"].values()) == wanted


def test_the_small_planner_needs_no_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    words = command(plan(monkeypatch, Path(__file__).parents[2] / "models" / "planner-small", CPU))
    assert value(words, "--tool-call-parser") == "hermes"
    assert value(words, "--max-model-len") == "8192"
    assert json.loads(value(words, "--mm-processor-kwargs"))["size"] == {
        "shortest_edge": 256 * 256, "longest_edge": 448 * 352}


@pytest.mark.parametrize(("cards", "heads", "wanted"), [(1, 32, 1), (2, 32, 2), (3, 32, 2), (8, 32, 8), (6, 28, 4)])
def test_a_model_is_spread_over_the_cards_that_share_its_heads(
    monkeypatch: pytest.MonkeyPatch, model: Path, cards: int, heads: int, wanted: int,
) -> None:
    (model / "config.json").write_text(json.dumps({"model_type": "qwen3_vl", "num_attention_heads": heads}))
    words = command(plan(monkeypatch, model, GPU, cards))
    assert ("--tensor-parallel-size" in words) == (wanted > 1)
    assert wanted == 1 or value(words, "--tensor-parallel-size") == str(wanted)
    assert "--enforce-eager" not in words


def test_a_cpu_gets_its_own_variables(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    made = plan(monkeypatch, model, CPU)
    given = variables(made, "secret")
    assert Path(given["PYTHONPATH"], "sitecustomize.py").is_file()
    assert given["VLLM_API_KEY"] == "secret"
    assert given["HF_HUB_OFFLINE"] == "1"
    assert "--enforce-eager" in command(made)
    line = shown(command(made), given)
    assert "secret" not in line
    assert shlex.split(line)[-len(command(made)):] == command(made)
    assert "PYTHONPATH" not in variables(plan(monkeypatch, model, GPU, 1))


DOUBLE = SimpleNamespace(**run_path(str(ROOT / "tests" / "adapters_double.py")))
LAYER = DOUBLE.AT.format(0, "q_proj")


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A model with its weights, against which adapters are held."""
    return Path(DOUBLE.model(tmp_path / "whole"))


def test_adapters_are_named(monkeypatch: pytest.MonkeyPatch, whole: Path, tmp_path: Path) -> None:
    folder = DOUBLE.adapter(tmp_path / "a", DOUBLE.layer(LAYER, rank=12), r=12)
    words = command(plan(monkeypatch, whole, CPU, adapters=[f"lineA={folder}"]))
    assert words[words.index("--enable-lora"):] == [
        "--enable-lora", "--max-lora-rank", "16", "--max-loras", "1", "--lora-modules", f"lineA={folder}"]
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING" not in variables(plan(monkeypatch, whole, CPU))


def test_an_adapter_that_would_be_left_out_is_an_error(monkeypatch: pytest.MonkeyPatch, model: Path, whole: Path,
                                                       tmp_path: Path) -> None:
    both = DOUBLE.layer(LAYER) | DOUBLE.layer("model.visual.blocks.0.attn.qkv", outputs=96)
    mixed, high = DOUBLE.adapter(tmp_path / "a", both), DOUBLE.adapter(tmp_path / "b", r=1024)
    other = DOUBLE.adapter(tmp_path / "d", DOUBLE.layer("model.layers.0.self_attn.q_proj"))
    (tmp_path / "c").mkdir()
    for given, words in ((f"x={mixed}", "picture encoder"), (f"x={high}", "rank 1024"), ("lineA", "NAME=FOLDER"),
                         (f"x={tmp_path / 'c'}", "holds no LoRA adapter"), (f"x={other}", "trained on another model")):
        with pytest.raises(BadInput, match=words):
            plan(monkeypatch, whole, CPU, adapters=[given])
    # Where the model's files are not here yet, what the adapter says of itself is held against itself.
    with pytest.raises(BadInput, match="picture encoder"):
        plan(monkeypatch, model, CPU, adapters=[f"x={mixed}"])


def running(monkeypatch: pytest.MonkeyPatch, model: Path, home: Home, key: str | None = "secret", **more: Any) -> Any:
    return plan(monkeypatch, model, home, 1, key, while_running=True, **more)


def test_adapters_while_it_runs_come_with_room_a_key_and_a_guard(
    monkeypatch: pytest.MonkeyPatch, whole: Path, tmp_path: Path,
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/theirs")
    for home in (CPU, GPU):
        made = running(monkeypatch, whole, home)
        words, given = command(made), variables(made, "secret")
        assert words[words.index("--enable-lora"):] == [
            "--enable-lora", "--max-lora-rank", "64", "--max-loras", "4", "--middleware", "kenpin_vllm_guard.Guard"]
        assert given["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "True"
        assert given["KENPIN_GUARD_FOLDER"] == str(Path("/data").resolve() / "adapters" / ".kept")
        assert Path(given["PYTHONPATH"].split(os.pathsep)[-1], "kenpin_vllm_guard.py").is_file()
        assert ("/theirs" in given["PYTHONPATH"]) == (home is GPU), "a CPU server has had a path of its own all along"
        assert "secret" not in shown(words, given)
    folder = DOUBLE.adapter(tmp_path / "a", DOUBLE.layer(LAYER, rank=100), r=100)
    words = command(running(monkeypatch, whole, CPU, adapters=[f"lineA={folder}"], room=2, rank=8))
    assert (value(words, "--max-lora-rank"), value(words, "--max-loras")) == ("128", "3")


def test_adapters_while_it_runs_need_a_key_and_loopback(monkeypatch: pytest.MonkeyPatch, whole: Path) -> None:
    for key in (None, ""):
        with pytest.raises(BadInput, match="KENPIN_VLLM_KEY"):
            running(monkeypatch, whole, CPU, key)
    with pytest.raises(BadInput, match="could load adapters"):
        running(monkeypatch, whole, CPU, host="0.0.0.0", behind_proxy=True)


@pytest.mark.parametrize(("home", "cards", "more", "words"), [
    (CPU, 0, {"device": "gpu"}, "vLLM for the CPU"), (CPU, 0, {"cards": 2}, "vLLM for the CPU"),
    (GPU, 1, {"device": "cpu"}, "make vllm"), (GPU, 0, {}, "0 found by nvidia-smi"),
    (GPU, 1, {"cards": 2}, "1 found by nvidia-smi")])
def test_what_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, model: Path, home: Home, cards: int,
                                   more: dict[str, Any], words: str) -> None:
    with pytest.raises(Unavailable, match=words):
        plan(monkeypatch, model, home, cards, **more)


@pytest.mark.parametrize(("more", "words"), [
    ({"host": "0.0.0.0"}, "behind-proxy"), ({"context": 300000}, "made for 262144"),
    ({"cards": 3}, "cannot share evenly")])
def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, model: Path, more: dict[str, Any],
                                   words: str) -> None:
    with pytest.raises(BadInput, match=words):
        plan(monkeypatch, model, GPU, 4, **more)
    assert plan(monkeypatch, model, GPU, 4, host="0.0.0.0", behind_proxy=True).host == "0.0.0.0"


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"config\.json"):
        machine.read_model(str(tmp_path))
    with pytest.raises(Unavailable, match="no such folder"):
        machine.read_model("./no-such-model")
    assert machine.read_model("Qwen/Qwen3-VL-8B-Instruct") == machine.Model()
    assert machine.parser_for("Qwen/Qwen3.5-9B", None) == "qwen3_xml"


def test_cards_and_threads_are_those_that_the_environment_allows() -> None:
    assert len(found_cards({"CUDA_VISIBLE_DEVICES": "0,3"})) == 2
    assert len(found_cards({"CUDA_VISIBLE_DEVICES": ""})) == 0
    assert machine.threads({"OMP_NUM_THREADS": "3"}) == 3
    assert machine.threads({}) == len(os.sched_getaffinity(0))


def test_without_vllm_it_is_one_line_and_exit_3(tmp_path: Path, model: Path) -> None:
    variables = {**os.environ, "KENPIN_HOME": str(tmp_path), "PYTHONPATH": str(ROOT),
                 "KENPIN_VLLM_PYTHON": sys.executable}
    ran = subprocess.run([sys.executable, "-m", "kenpin.cli", "serve", str(model)], capture_output=True, text=True,
                         env=variables, check=False)
    assert ran.returncode == 3
    assert ran.stderr.count("\n") == 1
    assert "KENPIN_VLLM_PYTHON" in ran.stderr
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Unavailable, match="run: make vllm"):
        patch.setattr(machine, "OWN", tmp_path / "none")
        machine.find_home(None)


SERVER = """
import http.server, subprocess, sys, signal
child = subprocess.Popen([sys.executable, "-c", "import signal,time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"])
print("child", child.pid, flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(200); self.end_headers()
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_server_ends_with_what_it_started(tmp_path: Path) -> None:
    number = port()
    server = start([sys.executable, "-c", SERVER, str(number)], {}, log=tmp_path / "log",
                   url=f"http://127.0.0.1:{number}")
    assert server.wait_healthy(30)
    child = int(server.log.read_text().split()[1])
    os.kill(child, 0)
    server.stop(patience=5)
    assert server.process.returncode == -signal.SIGTERM
    until = time.monotonic() + 5
    while Path(f"/proc/{child}/stat").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    server = start([sys.executable, "-c", "print('ok'); raise ValueError('no such flag')"], {}, log=tmp_path / "log",
                   url="http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="exit 1") as caught:
        server.wait_healthy(30)
    assert "no such flag" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(Unavailable, match="cannot be started"):
        start(["/no/such/python"], {}, log=tmp_path / "log", url="")
    assert last_lines(tmp_path / "none") == "(it cannot be read)"


def test_a_server_that_is_never_ready(tmp_path: Path) -> None:
    server = start([sys.executable, "-c", "import time; print('loading', flush=True); time.sleep(60)"], {},
                   log=tmp_path / "log", url=f"http://127.0.0.1:{port()}")
    try:
        with pytest.raises(Unavailable, match="not ready after 1 s") as caught:
            server.wait_healthy(1)
        assert "loading" in str(caught.value)
        assert not server.wait_healthy(9, stopped=lambda: True)
    finally:
        server.stop()
    assert server.process.returncode is not None


def test_the_compose_file_starts_vllm_as_kenpin_does(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    flags = dict(word.removeprefix("--").partition("=")[::2] for word in compose["services"]["vllm"]["command"])
    words = command(plan(monkeypatch, model, GPU, 1))
    ours = {word.removeprefix("--"): words[i + 1] if i + 1 < len(words) and not words[i + 1].startswith("--") else ""
            for i, word in enumerate(words) if word.startswith("--")}
    for name in set(ours) - {"model", "host", "port"}:
        assert flags[name] == ours[name], name


def test_only_the_proxy_is_reached_from_outside() -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    assert [name for name, service in compose["services"].items() if "ports" in service] == ["proxy"]
    assert compose["networks"]["inside"]["internal"] is True
    for name, service in compose["services"].items():
        assert name == "proxy" or service["networks"] == ["inside"]
