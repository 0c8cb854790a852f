"""Stands before a vLLM server whose adapters change while it runs. Loaded by that server's own Python (`--middleware`),
where Kenpin is not installed, so it needs nothing but the standard library.

vLLM's key guards `/v1` alone: in 0.32 `POST /adapters` took any folder from anybody who reached the port. Here every
path but `/health` needs the key, `/adapters` is closed, and `/v1/load_lora_adapter` takes a folder of Kenpin's own
copies only, never in place of another adapter.
"""

import hmac
import json
import os
from pathlib import Path
from typing import Any

FOLDER, KEY = "KENPIN_GUARD_FOLDER", "VLLM_API_KEY"
OPEN = "/health"
CLOSED = "/adapters"
LOAD = "/v1/load_lora_adapter"
LONGEST = 16 * 2**10
"""Bytes of a request to load: a name and a folder."""


class Guard:
    """ASGI middleware.

    Raises:
        RuntimeError: The server was started without a key or a folder.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._key, folder = os.environ.get(KEY, ""), os.environ.get(FOLDER, "")
        if not self._key or not folder:
            raise RuntimeError(f"{KEY} and {FOLDER} must be set")
        self._folder = Path(os.path.realpath(folder))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan" or scope.get("path") == OPEN:
            await self._app(scope, receive, send)
        elif scope["type"] != "http" or not self._has_key(scope):
            await _refuse(scope, receive, send, 401, "Unauthorized")
        elif scope["path"].startswith(CLOSED):
            await _refuse(scope, receive, send, 404, "Not Found")
        elif scope["path"].rstrip("/") == LOAD:
            body = await _read(receive)
            if self._allowed(body):
                await self._app(scope, _again(body, receive), send)
            else:
                await _refuse(scope, receive, send, 403, "no adapter that Kenpin keeps")
        else:
            await self._app(scope, receive, send)

    def _has_key(self, scope: Any) -> bool:
        given: bytes = dict(scope["headers"]).get(b"authorization", b"")
        kind, _, key = given.partition(b" ")
        return kind.lower() == b"bearer" and hmac.compare_digest(key, self._key.encode())

    def _allowed(self, body: bytes) -> bool:
        """Whether a request names a folder that lies in Kenpin's own, without a link on the way, and replaces none."""
        try:
            asked = json.loads(body)
            path = asked["lora_path"]
            return (not asked.get("load_inplace") and path == os.path.realpath(path)
                    and Path(path).parent == self._folder and Path(path).is_dir())
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return False


async def _read(receive: Any) -> bytes:
    """A request's body; what is longer than any real one reads as nothing."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        body += message.get("body", b"")
        if len(body) > LONGEST:
            return b""
        if not message.get("more_body"):
            return body


def _again(body: bytes, receive: Any) -> Any:
    """A body that was read, once more, then what the connection says."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def read() -> Any:
        return left.pop() if left else await receive()

    return read


async def _refuse(scope: Any, receive: Any, send: Any, status: int, words: str) -> None:
    if scope["type"] != "http":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    body = json.dumps({"error": words}).encode()
    await send({"type": "http.response.start", "status": status, "headers": [
        (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
