"""Two copies of a model behind one address: do dialogues stay at one copy, and go on when it dies?

    python -m bench.replicas MODEL [--turns 2] [--dialogues 4] [--reply 16] [--size 1600x1200]

Starts two servers with the flags of `kenpin serve` and nginx with deploy/nginx/replicas.conf (ports and places put in),
and holds some dialogues at once, each of some turns with three steps and scripted calls as in `bench/serving.py`: at
one server, behind the balancer as it is configured, and behind one that sends requests round robin. Printed: the share
of prompt tokens that the prefix caches of both copies gave, and the requests that each copy answered. Then a dialogue
is held during which the copy that answers it is killed. Each dialogue has a salt of its own. Needs nginx, vLLM (make
vllm) and about 6 GB of memory on a CPU; MODEL may be one of random weights (tests/vllm/random_model.py).
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread

import cv2
import numpy as np

from agent.planners.vllm_chat import Line
from bench.serving import STEPS, Dialogue, counters
from kenpin.config import Settings, read_settings
from kenpin.launch import ROOT
from kenpin.samples import SAMPLES
from kenpin.security.uploads import read_upload
from kenpin.serving.command import command, variables
from kenpin.serving.planning import made
from kenpin.serving.process import Server, start

CONF = ROOT / "deploy" / "nginx" / "replicas.conf"
HASH = "hash $http_x_session_id consistent;"
AROUND = """daemon off; {user} worker_processes 1; pid {at}/pid; error_log {at}/error.log warn;
events {{ worker_connections 256; }}
http {{ access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/f;
uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;
{inner}
}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def copy(settings: Settings, model: str, folder: Path, context: int) -> Server:
    """One more server, with little memory."""
    plan = replace(made(settings, model, port=free_port(), name="planner", context=context), cache_gib=1)
    return start(command(plan), variables(plan), log=folder / f"{plan.port}.log", url=f"http://127.0.0.1:{plan.port}")


@contextmanager
def balancer(copies: Sequence[Server], folder: Path, *, keep: bool = True) -> Iterator[str]:
    """The repository's balancer before these copies; `keep` as it is, else round robin. Yields its address."""
    port, text = free_port(), CONF.read_text()
    for old, new in (("127.0.0.1:8000", copies[0].url[7:]), ("127.0.0.1:8003", copies[1].url[7:]),
                     ("127.0.0.1:8100;", f"127.0.0.1:{port};"), *(() if keep else ((HASH, ""),))):
        head, found, tail = text.rpartition(old)
        assert found, old
        text = f"{head}{new}{tail}"
    at = folder / f"nginx-{port}"
    at.mkdir()
    (at / "nginx.conf").write_text(AROUND.format(at=at, inner=text, user="user root;" if os.geteuid() == 0 else ""))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with subprocess.Popen([program, "-c", at / "nginx.conf", "-p", at, "-e", at / "error.log"]) as process:
        try:
            time.sleep(0.5)
            assert process.poll() is None, (at / "error.log").read_text()
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


@dataclass
class Trial:
    """What is held, and at which copies it is looked at."""

    settings: Settings
    copies: Sequence[Server]
    turns: int
    reply: int
    dialogues: int
    """At once."""
    pixels: np.ndarray

    def at(self, url: str) -> Settings:
        return self.settings.model_copy(update={"vllm_url": url})

    def counted(self) -> list[dict[str, float]]:
        return [counters(Line(self.at(f"{one.url}/v1"))) if one.process.poll() is None else {} for one in self.copies]

    def hold(self, url: str, count: int) -> None:
        settings = self.at(url)
        with tempfile.TemporaryDirectory() as home, ThreadPoolExecutor(count) as pool:
            many = [Dialogue(settings, Line(settings), self.reply, turns=self.turns) for _ in range(count)]
            list(pool.map(lambda one: one.hold(self.pixels, Path(home)), many))

    def row(self, name: str, url: str) -> None:
        """Hold dialogues at an address and print what they cost."""
        before = self.counted()
        self.hold(url, self.dialogues)
        found = [{key: late[key] - early[key] for key in late}
                 for early, late in zip(before, self.counted(), strict=True)]
        share = sum(one["hit"] for one in found) / sum(one["queried"] for one in found)
        requests = " + ".join(f"{one['requests']:.0f}" for one in found)
        print(f"{name:34} {100 * share:6.1f} %   {requests}", flush=True)

    def killed(self, url: str) -> None:
        """Hold a dialogue and kill the copy that answers it once it has answered four times."""
        before, dead = self.counted(), []

        def kill() -> None:
            while not dead:
                for early, late, one in zip(before, self.counted(), self.copies, strict=True):
                    if late and late["requests"] - early["requests"] >= 4:
                        os.killpg(one.process.pid, signal.SIGKILL)
                        one.process.wait()
                        dead.append(self.copies.index(one))
                        return
                time.sleep(0.2)

        watcher = Thread(target=kill)
        watcher.start()
        self.hold(url, 1)
        watcher.join()
        late = self.counted()
        other = 1 - dead[0]
        there = late[other]["requests"] - before[other]["requests"]
        print(f"copy {dead[0] + 1} was killed after 4 requests; the dialogue ended with all of its "
              f"{self.turns * (STEPS + 1)} requests, {there:.0f} of them at the other copy")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--dialogues", type=int, default=4, help="at once")
    parser.add_argument("--reply", type=int, default=16, help="tokens that each reply may have")
    parser.add_argument("--size", default="1600x1200", help="of the photo")
    parser.add_argument("--context", type=int, default=24576)
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    pixels = np.asarray(cv2.resize(read_upload(SAMPLES / "panel.png").pixels, (width, height)), dtype=np.uint8)
    settings = read_settings(planner="vllm", vllm_timeout=600.0, vllm_model="planner")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, copies = Path(name), []
        for _ in range(2):
            copies.append(one := copy(settings, given.model, folder, given.context))
            stack.callback(one.stop)
        for one in copies:
            one.wait_healthy(900)
        trial = Trial(settings, copies, given.turns, given.reply, given.dialogues, pixels)
        print(f"{f'{given.dialogues} dialogues at once':34} {'reused':>8}   requests at copy 1 + copy 2")
        trial.row("one server", f"{copies[0].url}/v1")
        with balancer(copies, folder) as url:
            trial.row("two, replicas.conf", url)
        with balancer(copies, folder, keep=False) as url:
            trial.row("two, round robin", url)
        with balancer(copies, folder) as url:
            trial.killed(url)


if __name__ == "__main__":
    main()
