"""A pooling server that plays a model: what it refuses is what vLLM 0.32 refuses of that kind of model."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Literal

import cv2
import numpy as np

from kenpin.cases.words import words_vector

Reply = tuple[int, str]
NOT_BOTH = "CLIP accepts text-only or image-only inputs, not both! You must pass an image with an empty token prompt."


class Refusing(Exception):
    """The request cannot be taken."""


@dataclass
class Model:
    """What is served. `seed` stands for the weights."""

    name: str = "embedder-2b"
    kind: Literal["clip", "qwen", "text", "chat"] = "clip"
    dim: int = 24
    seed: int = 0
    batched: bool = True
    cuts: bool = True
    """Takes `truncate_prompt_tokens`."""
    blind: bool = False
    """Pictures do not reach the model."""
    got: list[Any] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    faults: list[Callable[[], Reply]] = field(default_factory=list)
    """What the next requests get instead of an answer."""

    def answer(self, path: str, body: dict[str, Any]) -> Reply:
        """What a request gets."""
        self.got.append(body)
        if self.faults:
            return self.faults.pop(0)()
        if path == "/v1/models":
            return 200, json.dumps({"data": [{"id": self.name}]})
        if self.kind == "chat":
            return 404, '{"detail":"Not Found"}'
        if body["model"] != self.name:
            return 404, json.dumps({"error": {"message": f"The model `{body['model']}` does not exist."}})
        try:
            rows = self.rows(body)
        except Refusing as exc:
            return 400, json.dumps({"error": {"message": str(exc), "code": 400}})
        data = [{"index": i, "embedding": row.tolist()} for i, row in enumerate(rows)]
        return 200, json.dumps({"data": data[::-1]})

    def rows(self, body: dict[str, Any]) -> list[np.ndarray]:
        """(D,) of each input."""
        if "truncate_prompt_tokens" in body and not self.cuts:
            raise Refusing("unknown field truncate_prompt_tokens")
        if "input" in body:
            return [self.words(text) for text in body["input"]]
        chats = body["messages"] if isinstance(body["messages"][0], list) else [body["messages"]]
        if len(chats) > 1 and not self.batched:
            raise Refusing("messages: expected a dict")
        return [self.chat(chat) for chat in chats]

    def chat(self, chat: list[dict[str, Any]]) -> np.ndarray:
        """A chat of one picture or text, with or without an instruction."""
        parts = [part for message in chat for part in message["content"]]
        pictures = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        texts = [part["text"] for part in parts if part["type"] == "text"]
        if self.kind == "text" and pictures:
            raise Refusing("embedder is not a multimodal model")
        if self.kind == "clip" and pictures and texts:
            raise Refusing(NOT_BOTH)
        told = self.words(" ".join(texts)) if texts else 0
        return self.picture(pictures[0]) + 0.1 * told if pictures else self.words(" ".join(texts))

    def picture(self, uri: str) -> np.ndarray:
        """CLIP cuts the middle out."""
        kind, data = uri.split(",")
        assert kind == "data:image/png;base64"
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR).astype(np.float64)
        if self.kind == "clip":
            side = min(pixels.shape[:2])
            top, left = ((length - side) // 2 for length in pixels.shape[:2])
            pixels = pixels[top:top + side, left:left + side]
        small = cv2.resize(pixels, (8, 8), interpolation=cv2.INTER_AREA).ravel() - 128 if not self.blind else np.ones(192)
        return self.drawn("picture", 192) @ small + 20 * self.drawn("bias", 1)[:, 0]

    def words(self, text: str) -> np.ndarray:
        return self.drawn("words", 1024) @ words_vector(text) + 0.5 * self.drawn("bias", 1)[:, 0]

    def drawn(self, what: str, width: int) -> np.ndarray:
        """(dim, width), the same for the same weights."""
        return weights(self.seed, what, self.dim, width)


@lru_cache
def weights(seed: int, what: str, dim: int, width: int) -> np.ndarray:
    return np.random.default_rng([seed, *what.encode()]).normal(size=(dim, width))


@contextmanager
def served(model: Model) -> Iterator[str]:
    """Serve it on loopback; yields the URL. Another model may be put in its place: `url` stays."""

    class Script(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply({})

        def do_POST(self) -> None:
            self._reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _reply(self, body: dict[str, Any]) -> None:
            model.keys.append(self.headers.get("Authorization"))
            status, text = model.answer(self.path, body)
            data = text.encode()
            with suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Script)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
