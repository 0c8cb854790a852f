"""The embedder on a server: CLIP- or Qwen3-VL-Embedding-class models behind an OpenAI-compatible pooling endpoint."""

import time
from collections.abc import Callable, Mapping, Sequence
from threading import RLock
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kenpin.cases.embed_line import Line, Refused, Values
from kenpin.cases.embed_ways import INSTRUCTION, Found, ask_pictures, ask_words, check, learn
from kenpin.cases.prints import SAME_WEIGHTS, agreement
from kenpin.contracts.view import RgbImage

Input = TypeVar("Input")

QUIET_S = 5.0
"""After so long without an answer the server may be another one: a model takes longer than this to start."""
COLOURS = {"red": (220, 20, 20), "green": (20, 150, 40), "blue": (20, 40, 210), "yellow": (240, 220, 20),
           "black": (5, 5, 5), "white": (250, 250, 250)}
PICTURES_A_REQUEST, TEXTS_A_REQUEST = 8, 32


class ServerEmbedder:
    """Implements `Embedder` over `POST {url}/embeddings`, as vLLM's pooling server takes it.

    Nothing is asked before the first use. Then the server is asked what it takes (`embed_ways.learn`), and again after
    each pause whether it still makes the same of a fixed picture and text; if not, `fingerprint` changes, by which the
    store notices. What this class raises is `Unavailable`, one line.
    """

    baseline = None
    """Not known beforehand: what unrelated pictures and words have in common is measured in the store."""
    parallel = 4
    """Cases that are worth describing at once; the server puts what waits into one batch."""

    def __init__(self, url: str, model: str | None = None, *, key: str | None = None, timeout_s: float = 20.0,
                 instruction: str = INSTRUCTION) -> None:
        self._line = Line(url, model, key=key, timeout_s=timeout_s)
        self._instruction = instruction
        self._mutex = RLock()
        self._known: Found | None = None
        self._heard = 0.0

    @property
    def name(self) -> str:
        """With the model's name, which the server is asked for where the settings name none."""
        return f"server:{self._line.model}"

    @property
    def picture_dim(self) -> int:
        """Numbers of a picture's vector."""
        return self.found.picture_dim

    @property
    def words_dim(self) -> int:
        """Numbers of a text's vector."""
        return self.found.words_dim

    @property
    def fingerprint(self) -> str:
        """What the server makes of a fixed picture and text (`prints.agreement`)."""
        return self.found.fingerprint

    @property
    def prior(self) -> Mapping[str, float]:
        """Cosines of inputs that have nothing in common, for a store with too few cases to measure them."""
        pictures, words = self.found.prior
        return {"region": pictures, "picture": pictures, "words": words}

    @property
    def found(self) -> Found:
        """What was found out about the server."""
        with self._mutex:
            if self._known is None or time.monotonic() - self._heard > QUIET_S:
                self._known = self._looked(self._known)
                self._heard = time.monotonic()
            return self._known

    def _looked(self, known: Found | None) -> Found:
        """The server as it is now: as it was, if it makes the same of the fixed inputs."""
        if known is not None:
            try:
                if agreement(known.fingerprint, check(self._line, known.ways, self._instruction)) >= SAME_WEIGHTS:
                    return known
            except Refused:
                pass
        return learn(self._line, self._instruction)

    def picture(self, pixels: RgbImage) -> NDArray[np.float32]:
        """(D,) float32 unit vector of a picture or a cut-out, (H, W, 3) uint8 RGB. Never written to.

        Raises:
            Unavailable: The server does not answer, or answers with something else than one vector.
        """
        vector: NDArray[np.float32] = self.pictures([pixels])[0]
        return vector

    def words(self, text: str) -> NDArray[np.float32]:
        """(D,) float32 unit vector of a text.

        Raises:
            Unavailable: As `picture`.
        """
        vector: NDArray[np.float32] = self.texts([text])[0]
        return vector

    def pictures(self, many: Sequence[RgbImage]) -> Values:
        """(N, D) as `picture`, with few requests."""
        found = self.found
        return self._all(many, PICTURES_A_REQUEST, found.picture_dim,
                         lambda some: ask_pictures(self._line, found.ways, some, self._instruction))

    def texts(self, many: Sequence[str]) -> Values:
        """(N, D) as `words`, with few requests."""
        found = self.found
        return self._all(many, TEXTS_A_REQUEST, found.words_dim,
                         lambda some: ask_words(self._line, found.ways, some, self._instruction))

    def one_space(self) -> tuple[int, int]:
        """How many plain pictures of a colour are nearest to the words for it, of how many; none if lengths differ.

        Raises:
            Unavailable: As `picture`.
        """
        pictures = self.pictures([np.full((64, 64, 3), colour, np.uint8) for colour in COLOURS.values()])
        texts = self.texts([f"a plain {name} picture" for name in COLOURS])
        if pictures.shape != texts.shape:
            return 0, len(COLOURS)
        nearest = (pictures @ texts.T).argmax(axis=1)
        return int((nearest == np.arange(len(COLOURS))).sum()), len(COLOURS)

    def _all(self, many: Sequence[Input], most: int, wanted: int, ask: Callable[[Sequence[Input]], Values]) -> Values:
        parts = []
        for at in range(0, len(many), most):
            vectors = ask(many[at:at + most])
            if vectors.shape[1] != wanted:
                with self._mutex:
                    self._known = None
                raise self._line.unavailable(f"answers with {vectors.shape[1]} numbers where it gave {wanted} before; "
                                             "another model is served there now")
            parts.append(vectors)
        self._heard = time.monotonic()
        return np.concatenate(parts)

    def close(self) -> None:
        """Let go of the connection."""
        self._line.close()
