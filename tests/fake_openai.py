"""A server on loopback that speaks the OpenAI protocol by a script, and keeps what it was sent."""

import json
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

MODEL = "Qwen/Qwen3-VL-8B-Instruct"


@dataclass(frozen=True)
class Received:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.body["messages"])

    @property
    def pictures(self) -> list[str]:
        """URLs of the pictures, in order."""
        parts = [part for m in self.messages if isinstance(m["content"], list) for part in m["content"]]
        return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


@dataclass
class Fake:
    """What a test sees of the server."""

    script: list[Any]
    models: list[dict[str, Any]]
    received: list[Received] = field(default_factory=list)
    released: Event = field(default_factory=Event)
    """Set to let hanging replies go."""
    port: int = 0
    poured: int = 0
    """Bytes of endless replies that went out."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def chats(self) -> list[Received]:
        return [r for r in self.received if r.path.endswith("/chat/completions")]


Reply = Callable[["Handler", Fake], None]


def called(*calls: tuple[str, Any], content: str | None = None, ids: Sequence[str] | None = None,
           finish: str = "tool_calls") -> Reply:
    """Tool calls as (name, arguments); arguments as a dict, or as the text that the server sends for them."""
    tool_calls = [{"id": ids[i] if ids else f"chatcmpl-tool-{i}", "type": "function",
                   "function": {"name": name, "arguments": args if isinstance(args, str) else json.dumps(args)}}
                  for i, (name, args) in enumerate(calls)]
    return message({"role": "assistant", "content": content, "tool_calls": tool_calls}, finish=finish)


def said(text: str, finish: str = "stop") -> Reply:
    """A reply without a call."""
    return message({"role": "assistant", "content": text, "tool_calls": []}, finish=finish)


def message(content: dict[str, Any], finish: str = "stop") -> Reply:
    """Any assistant message."""
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL,
            "choices": [{"index": 0, "message": content, "finish_reason": finish}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}
    return lambda handler, fake: handler.send(200, body)


def status(code: int, text: str = "", headers: dict[str, str] | None = None) -> Reply:
    """An error as vLLM words it."""
    body = {"error": {"message": text, "type": "BadRequestError", "param": None, "code": code}}
    return lambda handler, fake: handler.send(code, body, headers=headers)


def raw(body: bytes, content_type: str = "application/json") -> Reply:
    """Any bytes under status 200."""
    return lambda handler, fake: handler.send_bytes(200, body, content_type)


def hang(seconds: float) -> Reply:
    """No answer for a while, and then none."""
    def reply(handler: "Handler", fake: Fake) -> None:
        fake.released.wait(seconds)
        handler.close_connection = True
    return reply


def reset() -> Reply:
    """The connection breaks before a byte was sent."""
    def reply(handler: "Handler", fake: Fake) -> None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
        handler.close_connection = True
    return reply


def cut() -> Reply:
    """The server dies in the middle of its reply."""
    def reply(handler: "Handler", fake: Fake) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "5000")
        handler.end_headers()
        handler.wfile.write(b'{"id": "chatcmpl-1", "choices": [{"index": 0, "mess')
    return reply


def packed(megabytes: int) -> Reply:
    """A compressed reply that comes to many times its size."""
    def reply(handler: "Handler", fake: Fake) -> None:
        squeeze = zlib.compressobj(wbits=31)
        body = b"".join([*(squeeze.compress(bytes(2**20)) for _ in range(megabytes)), squeeze.flush()])
        handler.send_bytes(200, body, "application/json", {"Content-Encoding": "gzip", "Content-Length": str(len(body))})
    return reply


def endless() -> Reply:
    """A reply that does not stop coming, as fast as it can."""
    def reply(handler: "Handler", fake: Fake) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        with suppress(OSError):
            while not fake.released.is_set():
                handler.wfile.write(b" " * 2**16)
                fake.poured += 2**16
    return reply


def drip(seconds: float) -> Reply:
    """A byte every so often, and never the last one."""
    def reply(handler: "Handler", fake: Fake) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "5000")
        handler.end_headers()
        with suppress(OSError):
            while not fake.released.wait(seconds):
                handler.wfile.write(b" ")
    return reply


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.0, one request a connection, so that no connection outlives a test."""

    fake: Fake

    def do_GET(self) -> None:
        self.fake.received.append(Received("GET", self.path, {k.lower(): v for k, v in self.headers.items()}, {}))
        if not self.path.endswith("/models"):
            return self.send(404, {"detail": "Not Found"})
        return self.send(200, {"object": "list", "data": self.fake.models})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}")
        headers = {k.lower(): v for k, v in self.headers.items()}
        self.fake.received.append(Received("POST", self.path, headers, body))
        number = len(self.fake.chats) - 1
        script = self.fake.script
        entry = script[min(number, len(script) - 1)] if script else said("The script is empty.")
        if not hasattr(entry, "__code__") or entry.__code__.co_argcount == 1:
            entry = entry(self.fake.received[-1])
        entry(self, self.fake)

    def send(self, code: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self.send_bytes(code, json.dumps(body).encode(), "application/json", headers)

    def send_bytes(self, code: int, body: bytes, content_type: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in ({"Content-Type": content_type, "Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def serving(*script: Any, models: Sequence[dict[str, Any]] | None = None, port: int = 0) -> Iterator[Fake]:
    """Run a server whose n-th chat completion is the n-th entry of the script; the last entry repeats.

    An entry is a `Reply`, or a function of the request that returns one.
    """
    listed = [{"id": MODEL, "object": "model", "root": MODEL, "parent": None, "max_model_len": 32768}]
    fake = Fake(script=list(script), models=listed if models is None else list(models))

    class Bound(Handler):
        pass

    Bound.fake = fake
    server = ThreadingHTTPServer(("127.0.0.1", port), Bound)
    server.daemon_threads = True
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]  # clients may hang up
    fake.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.released.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def unused_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait(seconds: float) -> None:
    """For scripts that are slow rather than hanging."""
    time.sleep(seconds)
