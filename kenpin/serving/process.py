"""A server as a process: started with a log, waited for, and ended with everything that it started."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

from kenpin.contracts.errors import Unavailable

TICK = 0.25
PATIENCE = 30.0
"""Seconds that a server gets to end by itself; it finishes what it is answering."""
LAST_LINES = 12
MOST_SHOWN = 300
HEALTHY = 200
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass
class Server:
    """A running server. Its process leads a group of its own, so that the group's end is the end of all its parts."""

    process: subprocess.Popen[bytes]
    log: Path
    url: str
    """Without `/v1`."""

    def wait_healthy(self, seconds: float, *, stopped: Callable[[], bool] = lambda: False) -> bool:
        """Wait until the server answers.

        Args:
            seconds: At most.
            stopped: Whether to give up because someone asked for the end.
        Returns:
            False if it was given up.
        Raises:
            Unavailable: It ended, or was not ready in time; the last lines of its log are in the text.
        """
        until = time.monotonic() + seconds
        while not stopped():
            if (code := self.process.poll()) is not None:
                raise Unavailable(f"the server ended before it was ready ({ending(code)}); its log {self.log} ends "
                                  f"with: {last_lines(self.log)}")
            if self.healthy():
                return True
            if time.monotonic() > until:
                raise Unavailable(f"the server was not ready after {seconds:g} s (--wait); its log {self.log} ends "
                                  f"with: {last_lines(self.log)}")
            time.sleep(TICK)
        return False

    def healthy(self) -> bool:
        """Whether it answers that it is well."""
        try:
            with httpx.Client(trust_env=False, timeout=5.0) as client:
                return client.get(f"{self.url}/health").status_code == HEALTHY
        except httpx.HTTPError:
            return False

    def stop(self, patience: float = PATIENCE) -> None:
        """End the server and whatever it started; what does not end in time is killed."""
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=patience)
        # A part that outlived the first process holds memory and cards.
        until = time.monotonic() + TICK * 8
        while group_lives(self.process.pid) and time.monotonic() < until:
            self.process.poll()
            time.sleep(TICK / 4)
        self._signal(signal.SIGKILL)
        self.process.wait()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def ending(code: int | None) -> str:
    """How a process ended, by its exit status."""
    if code == -signal.SIGKILL:
        return f"exit {code}: killed, most likely by the system for want of memory"
    return f"exit {code}"


def group_lives(group: int) -> bool:
    """Whether a process of this group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def start(words: Sequence[str], given: Mapping[str, str], *, log: Path, url: str) -> Server:
    """Start a server with its output in a file that only this user reads.

    Raises:
        Unavailable: The program or the log cannot be opened.
    """
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _opened(log) as out:
            # The words are ours, the settings' and the command line's; no shell reads them.
            process = subprocess.Popen(list(words), stdin=subprocess.DEVNULL, stdout=out,  # noqa: S603
                                       stderr=subprocess.STDOUT, env={**os.environ, **given}, start_new_session=True,
                                       preexec_fn=_ends_with_us)  # noqa: PLW1509 - there are no threads yet
    except OSError as exc:
        raise Unavailable(f"the server cannot be started: {exc.filename or words[0]}: {exc.strerror}") from None
    return Server(process=process, log=log, url=url)


def _ends_with_us() -> None:
    """In the new process: be asked to end when the one that started it is gone, even killed (Linux)."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def own_log(folder: Path, name: str, port: int) -> tuple[Path, IO[bytes]]:
    """The log of a server, and what keeps others off it until it is closed: two servers over one data folder have two.

    Args:
        folder: The data folder.
        name: `vllm` for `vllm.log`; `vllm-PORT.log` if another server is writing that.
        port: Port of the server.
    Raises:
        Unavailable: Neither can be written.
    """
    for log in (folder / f"{name}.log", folder / f"{name}-{port}.log"):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            held = os.fdopen(os.open(log, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "rb")
        except OSError as exc:
            raise Unavailable(f"{log} cannot be written: {exc.strerror}") from None
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.close()
            continue
        return log, held
    raise Unavailable(f"{log} is written by another server already; stop that, or choose another --port")


def _opened(log: Path) -> IO[bytes]:
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def last_lines(log: Path, count: int = LAST_LINES) -> str:
    """The end of a log as one line: the errors in it if there are any, else its last lines."""
    try:
        lines = [" ".join(line.split()) for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return "(it cannot be read)"
    wrong = [line for line in lines if "rror" in line and "Traceback" not in line and "See root cause" not in line]
    chosen = wrong[-2:] or lines[-count:]
    return " | ".join(line[-MOST_SHOWN:] for line in chosen) or "(nothing)"
