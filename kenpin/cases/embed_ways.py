"""What an embedding server takes, found out by asking it and not by the model's name.

CLIP takes a picture or words, one a request, and cuts the middle out of a picture; models of the Qwen3-VL-Embedding
class want both as chats with an instruction, by one template.
Source: vLLM 0.32, `vllm/entrypoints/pooling/embed/protocol.py`; the example of Qwen3-VL-Embedding in vLLM's repository.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.cases.embed_line import SERVE, Line, Refused, Values
from kenpin.cases.prints import sketch
from kenpin.contracts.errors import StoreError
from kenpin.contracts.view import RgbImage

INSTRUCTION = "Represent the user's input for retrieving similar defects."
SENT_SIDE = 448
"""Longest side of a picture as it is sent, px."""
MOST_LETTERS = 2000
"""Of a text; fewer tokens than the 4,096 that `kenpin serve --embed` leaves, in Japanese too."""
ALIKE = 1e-4
"""Vectors of two pictures nearer than this (1 - cosine) are one: what told them apart did not reach the model."""

PictureForm = Literal["instructed", "beside", "alone"]
WordsForm = Literal["instructed", "cut", "plain"]
PICTURE_FORMS: tuple[PictureForm, ...] = ("instructed", "beside", "alone")
"""The instruction as a system message, as text beside the picture, or no instruction."""
Chat = list[dict[str, Any]]


@dataclass(frozen=True)
class Ways:
    """How to ask."""

    picture: PictureForm = "instructed"
    words: WordsForm = "instructed"
    """As a chat with the instruction; as plain input that the server cuts at its longest; as plain input."""
    batched: bool = False
    """A request may hold several chats."""
    square: bool = False
    """The server cuts pictures to squares, so they are sent as squares, with what is missing filled in."""


@dataclass(frozen=True)
class Found:
    """A server as it was found."""

    ways: Ways
    picture_dim: int
    words_dim: int
    prior: tuple[float, float]
    """Likeness of pictures, and of texts, that have nothing to do with each other (`UNLIKE`)."""
    fingerprint: str


def learn(line: Line, instruction: str = INSTRUCTION) -> Found:
    """Ask a server what it takes.

    Raises:
        Unavailable: It does not answer, takes no pictures or no words, or gives all of them the same vector.
    """
    base, middle, ends = (data_uri(pixels) for pixels in wide())
    form, plain = _picture_form(line, base, instruction)
    ways = Ways(picture=form)
    ways, marked = _batched(line, ways, [middle, ends], instruction)
    apart = 1 - marked @ plain
    if apart[0] < ALIKE:
        raise line.unavailable(f"gives all pictures the same vector; {SERVE}")
    ways = _words_way(line, Ways(form, batched=ways.batched, square=bool(apart[1] < ALIKE)), instruction)
    unlike = ask_pictures(line, ways, drawn(), instruction), ask_words(line, ways, UNLIKE, instruction)
    if 1 - float(unlike[1][0] @ unlike[1][1]) < ALIKE:
        raise line.unavailable(f"gives all words the same vector; {SERVE}")
    return Found(ways, unlike[0].shape[1], unlike[1].shape[1], (_typical(unlike[0]), _typical(unlike[1])),
                 sketch([unlike[0][0], unlike[1][0]]))


def check(line: Line, ways: Ways, instruction: str = INSTRUCTION) -> str:
    """The fingerprint that a server gives now, by two of the inputs of `learn`.

    Raises:
        Unavailable: As `learn`.
    """
    return sketch([ask_pictures(line, ways, drawn()[:1], instruction)[0],
                   ask_words(line, ways, UNLIKE[:1], instruction)[0]])


def ask_pictures(line: Line, ways: Ways, pictures: Sequence[RgbImage], instruction: str = INSTRUCTION) -> Values:
    """(N, D) unit vectors of pictures, (H, W, 3) uint8 each."""
    chats = [picture_chat(data_uri(pixels, square=ways.square), ways.picture, instruction) for pixels in pictures]
    return _asked(line, chats, ways)


def ask_words(line: Line, ways: Ways, texts: Sequence[str], instruction: str = INSTRUCTION) -> Values:
    """(N, D) unit vectors of texts, of their beginnings where they are long."""
    texts = [text[:MOST_LETTERS] for text in texts]
    if ways.words == "instructed":
        return _asked(line, [_instructed({"type": "text", "text": text}, instruction) for text in texts], ways)
    cut = {"truncate_prompt_tokens": -1} if ways.words == "cut" else {}
    return line.ask({"input": list(texts), **cut}, len(texts))


def _asked(line: Line, chats: Sequence[Chat], ways: Ways) -> Values:
    # The mark of the answer's beginning and the tokenizer's own last token are what such models are trained to end on.
    ending = {"add_generation_prompt": True, "add_special_tokens": True} if ways.picture == "instructed" else {}
    if ways.batched and len(chats) > 1:
        return line.ask({"messages": list(chats), **ending}, len(chats))
    return np.concatenate([line.ask({"messages": chat, **ending}, 1) for chat in chats])


def _picture_form(line: Line, uri: str, instruction: str) -> tuple[PictureForm, Values]:
    """The first form in which pictures are taken, and the vector of one."""
    refusal: Refused | None = None
    for form in PICTURE_FORMS:
        try:
            return form, _asked(line, [picture_chat(uri, form, instruction)], Ways(form))[0]
        except Refused as exc:
            refusal = exc
    raise line.unavailable(f"takes no pictures: {refusal}"[:400])


def _batched(line: Line, ways: Ways, uris: Sequence[str], instruction: str) -> tuple[Ways, Values]:
    """Whether several chats go in one request, and the vectors of these."""
    chats = [picture_chat(uri, ways.picture, instruction) for uri in uris]
    several = Ways(ways.picture, batched=True)
    try:
        return several, _asked(line, chats, several)
    except Refused:
        return ways, _asked(line, chats, ways)


def _words_way(line: Line, ways: Ways, instruction: str) -> Ways:
    """How words go: where pictures go with an instruction, words go by the same template."""
    forms: list[WordsForm] = ["instructed", "cut", "plain"] if ways.picture == "instructed" else ["cut", "plain"]
    for form in forms:
        way = Ways(ways.picture, form, ways.batched, ways.square)
        try:
            ask_words(line, way, UNLIKE[:1], instruction)
        except Refused as exc:
            refusal = exc
        else:
            return way
    raise line.unavailable(f"takes no words: {refusal}"[:400])


def picture_chat(uri: str, form: PictureForm, instruction: str) -> Chat:
    """A picture as a chat."""
    shown = {"type": "image_url", "image_url": {"url": uri}}
    if form == "instructed":
        return _instructed(shown, instruction)
    return [{"role": "user", "content": [shown, {"type": "text", "text": instruction}][:1 + (form == "beside")]}]


def _instructed(part: dict[str, Any], instruction: str) -> Chat:
    return [{"role": "system", "content": [{"type": "text", "text": instruction}]}, {"role": "user", "content": [part]}]


def data_uri(pixels: RgbImage, *, square: bool = False) -> str:
    """(H, W, 3) uint8 RGB as a PNG that the server need not fetch, at most `SENT_SIDE` px.

    With `square` the shorter sides are filled up with the picture's mean colour, so that a server that takes the middle
    takes all of it.
    """
    height, width = pixels.shape[:2]
    bgr = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
    if (scale := SENT_SIDE / max(height, width)) < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
    if square and bgr.shape[0] != bgr.shape[1]:
        rows, columns = (max(bgr.shape[:2]) - side for side in bgr.shape[:2])
        bgr = cv2.copyMakeBorder(bgr, rows // 2, rows - rows // 2, columns // 2, columns - columns // 2,
                                 cv2.BORDER_CONSTANT, value=cv2.mean(bgr)[:3])
    written, data = cv2.imencode(".png", bgr)
    if not written:
        raise StoreError(f"a {width}x{height} picture could not be encoded")
    return f"data:image/png;base64,{base64.b64encode(data.tobytes()).decode()}"


UNLIKE = ("a scratch on a painted metal cover", "2024-06-03, lot 7, machine 4", "oil on woven cloth",
          "returned to the supplier", "ひび割れ", "the blue paint is too thin at the left edge")
"""Texts that have little to do with each other; the first is part of the fingerprint."""


def drawn() -> list[RgbImage]:
    """Pictures of 128 px that have little to do with each other; the first is part of the fingerprint."""
    y, x = np.mgrid[0:128, 0:128]
    scratch, board, cloth, dots = (np.full((128, 128, 3), tone, np.uint8) for tone in (150, 40, 200, 225))
    cv2.line(scratch, (20, 30), (108, 96), (240, 240, 235), 3)
    cv2.rectangle(board, (24, 20), (60, 108), (20, 120, 40), -1)
    cv2.circle(board, (92, 64), 18, (200, 170, 40), -1)
    cloth[((x // 4 + y // 4) % 2) == 0] = (120, 60, 60)
    for place in range(12, 128, 26):
        cv2.circle(dots, (place, (place * 7) % 128), 7, (30, 30, 60), -1)
    ramp = np.stack([2 * x, 255 - 2 * y, x + y], axis=2).astype(np.uint8)
    return [scratch, board, cloth, dots, ramp]


def wide() -> tuple[RgbImage, RgbImage, RgbImage]:
    """A plain picture three times as wide as high, the same with a mark in the middle, and with marks at its ends."""
    plain = np.full((96, 288, 3), 128, np.uint8)
    middle, ends = plain.copy(), plain.copy()
    middle[16:80, 112:176] = (230, 40, 20)
    for left in (6, 250):
        ends[16:80, left:left + 32] = (230, 40, 20)
    return plain, middle, ends


def _typical(vectors: NDArray[np.float32]) -> float:
    """Median cosine of different rows."""
    cosines = vectors @ vectors.T
    return float(np.median(cosines[np.triu_indices(len(vectors), 1)]))
