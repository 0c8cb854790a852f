"""The embedder on a server: CLIP- or Qwen3-VL-Embedding-class models behind an OpenAI-compatible pooling endpoint."""

import base64
from collections.abc import Callable
from typing import Any, TypeVar

import cv2
import httpx
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.errors import StoreError, Unavailable
from kenpin.contracts.view import RgbImage

Answer = TypeVar("Answer")

SENT_SIDE = 448
"""Longest side of a picture as it is sent; the server must not fetch or shrink anything itself."""

TRIES = 2
"""Calls are without effect on the server, so a lost one is made once more."""

INSTRUCTION = "Represent the image for retrieving similar defects."


class ServerEmbedder:
    """Implements `Embedder` over `POST {url}/embeddings`, as vLLM's pooling server takes it.

    A picture goes as a data URI in chat-style `messages`, words go as `input`. `instruction` is the text that stands
    beside a picture, which some models are trained with. The server is asked at once how long its vectors are.

    Raises:
        Unavailable: The server does not answer, or not with vectors.
    """

    def __init__(self, url: str, model: str | None = None, *, key: str | None = None, timeout_s: float = 10.0,
                 instruction: str = INSTRUCTION, baseline: float = 0.4) -> None:
        self.baseline = baseline
        self._url, self._instruction = url.rstrip("/"), instruction
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(timeout=timeout_s, headers=headers)
        self._model = model or "(first listed)"
        try:
            self._model = model or self._asked("GET", "models", None, read=_first_model)
            self.picture_dim = len(self.picture(np.full((32, 32, 3), 128, dtype=np.uint8)))
            self.words_dim = len(self.words("scratch"))
        except Unavailable:
            self.close()
            raise
        self.name = f"server:{self._model}"

    def picture(self, pixels: RgbImage) -> NDArray[np.float32]:
        """(D,) float32 unit vector of a picture or a cut-out, (H, W, 3) uint8 RGB. Never written to.

        Raises:
            Unavailable: The server does not answer, or answers with something else than one vector.
        """
        content = [{"type": "image_url", "image_url": {"url": _data_uri(pixels)}},
                   {"type": "text", "text": self._instruction}]
        return self._vector({"messages": [{"role": "user", "content": content}]})

    def words(self, text: str) -> NDArray[np.float32]:
        """(D,) float32 unit vector of a text.

        Raises:
            Unavailable: As `picture`.
        """
        return self._vector({"input": text})

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _vector(self, what: dict[str, Any]) -> NDArray[np.float32]:
        body = {"model": self._model, "encoding_format": "float", **what}
        return self._asked("POST", "embeddings", body, read=_unit_vector)

    def _asked(self, method: str, path: str, body: dict[str, Any] | None, *, read: Callable[[Any], Answer]) -> Answer:
        """One call. Whatever is wrong with the server or its answer comes out as one line."""
        try:
            answer = self._sent(method, path, body)
            answer.raise_for_status()
            return read(answer.json())
        except httpx.TimeoutException as exc:
            raise self._unavailable("did not answer in time") from exc
        except httpx.HTTPStatusError as exc:
            said = " ".join(exc.response.text.split())[:160]
            raise self._unavailable(f"answered {exc.response.status_code}: {said}") from exc
        except httpx.HTTPError as exc:
            raise self._unavailable("does not answer") from exc
        except (ValueError, KeyError, IndexError, TypeError) as exc:
            raise self._unavailable("did not answer with one vector; is an embedding model served there?") from exc

    def _sent(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        for _ in range(TRIES - 1):
            try:
                answer = self._client.request(method, f"{self._url}/{path}", json=body)
                if answer.status_code < 500:
                    return answer
            except httpx.TransportError:
                continue
        return self._client.request(method, f"{self._url}/{path}", json=body)

    def _unavailable(self, what: str) -> Unavailable:
        return Unavailable(f"embedding server {self._url} (model {self._model}) {what}")


def _first_model(answer: Any) -> str:
    return str(answer["data"][0]["id"])


def _unit_vector(answer: Any) -> NDArray[np.float32]:
    vector = np.asarray(answer["data"][0]["embedding"], dtype=np.float32)
    length = float(np.linalg.norm(vector))
    if vector.ndim != 1 or not np.isfinite(length) or length == 0.0:
        raise ValueError("not a vector")
    return np.asarray(vector / length, dtype=np.float32)


def _data_uri(pixels: RgbImage) -> str:
    height, width = pixels.shape[:2]
    bgr = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
    if (scale := SENT_SIDE / max(height, width)) < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
    written, data = cv2.imencode(".png", bgr)
    if not written:
        raise StoreError(f"a {width}x{height} picture could not be encoded")
    return f"data:image/png;base64,{base64.b64encode(data.tobytes()).decode()}"
