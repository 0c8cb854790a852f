"""One way to an OpenAI-compatible embedding server: requests, answers, and every fault of it in one line."""

import ssl
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

import httpx
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.errors import Unavailable

Answer = TypeVar("Answer")
Values = NDArray[np.float32]

TRIES, PAUSE_S = 2, 0.5
"""Calls are without effect on the server, so one that was lost is made once more; one that hung is not."""
BAD_REQUEST, NO_KEY, NOT_THERE, BUSY, BROKEN = (400, 413, 415, 422, 501), (401, 403), 404, 429, 500
MOST_SAID = 160
SERVE = "serve an embedding model there: kenpin serve MODEL --embed"


class Refused(Unavailable):
    """The server is there and does not take this kind of request."""


class Line:
    """A server and the model that is asked for; the first that it lists if none is named."""

    def __init__(self, url: str, model: str | None, *, key: str | None, timeout_s: float) -> None:
        self.url = url.rstrip("/")
        self._chosen, self._listed = model, ""
        self._seconds = timeout_s
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # A proxy of the environment would carry pictures out of the house; the system's certificates count, and
        # SSL_CERT_FILE.
        verify = ssl.create_default_context() if self.url.startswith("https:") else False
        self._client = httpx.Client(timeout=timeout_s, headers=headers, trust_env=False, verify=verify)
        weakref.finalize(self, self._client.close)

    @property
    def model(self) -> str:
        """Name of the model.

        Raises:
            Unavailable: None was named, and the server does not say which it has.
        """
        if not self._chosen and not self._listed:
            self._listed = self._asked("GET", "models", None, read=_first_model)
        return self._chosen or self._listed

    def ask(self, body: dict[str, Any], number: int) -> Values:
        """(number, D) float32 unit vectors for the inputs of `body`, in their order.

        Raises:
            Refused: The server does not take such a request.
            Unavailable: Anything else that keeps it from answering, or it answers with something else.
        """
        whole = {"model": self.model, "encoding_format": "float", **body}
        return self._asked("POST", "embeddings", whole, read=lambda answer: _unit_vectors(answer, number))

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _asked(self, method: str, path: str, body: dict[str, Any] | None, *, read: Callable[[Any], Answer]) -> Answer:
        try:
            answer = self._sent(method, path, body)
            if not answer.is_success:
                raise self._refusal(answer)
            return read(answer.json())
        except httpx.TimeoutException:
            raise self.unavailable(f"did not answer within {self._seconds:g} s; see whether it is busy or hangs "
                                   "(KENPIN_EMBED_TIMEOUT)") from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise self.unavailable("does not answer; start it, or check KENPIN_EMBED_URL") from None
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise self.unavailable(f"did not answer with one vector for each input; {SERVE}") from None

    def _sent(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        for _ in range(TRIES - 1):
            try:
                answer = self._client.request(method, f"{self.url}/{path}", json=body)
                if answer.status_code in BAD_REQUEST or (answer.status_code < BROKEN and answer.status_code != BUSY):
                    return answer
            except httpx.TimeoutException:
                raise
            except httpx.TransportError:
                pass
            time.sleep(PAUSE_S)
        return self._client.request(method, f"{self.url}/{path}", json=body)

    def _refusal(self, answer: httpx.Response) -> Unavailable:
        said = f"answered {answer.status_code}: {_message(answer)}"
        if answer.status_code in NO_KEY:
            return self.unavailable(f"{said}; check KENPIN_EMBED_KEY")
        if answer.status_code == NOT_THERE:
            return self.unavailable(f"{said}; check KENPIN_EMBED_MODEL, or {SERVE}")
        return self.unavailable(said, kind=Refused if answer.status_code in BAD_REQUEST else Unavailable)

    def unavailable(self, what: str, *, kind: type[Unavailable] = Unavailable) -> Unavailable:
        """The error that says so of this server."""
        model = self._chosen or self._listed or "first listed"
        return kind(f"embedding server {self.url} (model {model}) {what}")


def _message(answer: httpx.Response) -> str:
    """What a server said, as one short line."""
    try:
        told = answer.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        told = answer.text
    return " ".join(str(told).split())[:MOST_SAID]


def _first_model(answer: Any) -> str:
    return str(answer["data"][0]["id"])


def _unit_vectors(answer: Any, number: int) -> Values:
    rows = sorted(enumerate(answer["data"]), key=lambda row: int(row[1].get("index", row[0])))
    vectors = np.asarray([row["embedding"] for _, row in rows], dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != number:
        raise ValueError("not one vector for each")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise ValueError("not unit vectors")
    return np.asarray(vectors / lengths, dtype=np.float32)
