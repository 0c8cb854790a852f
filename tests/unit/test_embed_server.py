"""The embedder on a server: it asks what the server takes, notices another model, and says every fault in one line."""

import base64
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from kenpin.cases import embed_line, embed_server
from kenpin.cases.embed_server import ServerEmbedder
from kenpin.cases.embed_ways import INSTRUCTION, SENT_SIDE
from kenpin.cases.prints import SAME_WEIGHTS, agreement, sketch
from kenpin.contracts.errors import Unavailable
from kenpin.contracts.ports import Embedder
from kenpin.serving.command import EMBED_SIDE

pytestmark = pytest.mark.enable_socket
Serve = Callable[..., tuple[Any, ServerEmbedder]]


@pytest.fixture
def serve(embed_double: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Serve a model and open an embedder on it: `serve(kind="qwen")`."""
    open_: list[Any] = []
    monkeypatch.setattr(embed_line, "PAUSE_S", 0.0)

    def opened(*, chosen: str | None = None, key: str | None = None, timeout_s: float = 20.0, **about: Any) -> Any:
        model = embed_double.Model(**about)
        context = embed_double.served(model)
        embedder = ServerEmbedder(context.__enter__(), chosen, key=key, timeout_s=timeout_s)
        open_.append((context, embedder))
        return model, embedder

    yield opened
    for context, embedder in open_:
        embedder.close()
        context.__exit__(*sys.exc_info())


def noise(seed: int, height: int = 60, width: int = 80) -> np.ndarray:
    picture = np.random.default_rng(seed).integers(0, 255, (height // 4, width // 4, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def sent(chat: list[dict[str, Any]]) -> np.ndarray:
    """The picture of a chat as the server got it."""
    uri = next(part["image_url"]["url"] for message in chat for part in message["content"]
               if part["type"] == "image_url")
    assert uri.startswith("data:image/png;base64,")
    return cv2.imdecode(np.frombuffer(base64.b64decode(uri.split(",")[1]), np.uint8), cv2.IMREAD_COLOR)


def test_nothing_is_asked_before_the_first_use(serve: Serve) -> None:
    model, embedder = serve(chosen="embedder-2b")
    assert (embedder.name, model.got) == ("server:embedder-2b", [])
    assert isinstance(embedder, Embedder)


def test_a_clip_gets_pictures_alone_and_square_and_plain_words(serve: Serve) -> None:
    model, embedder = serve(key="secret")
    assert (embedder.name, embedder.picture_dim, embedder.words_dim) == ("server:embedder-2b", 24, 24)
    ways = embedder.found.ways
    assert (ways.picture, ways.words, ways.batched, ways.square) == ("alone", "cut", True, True)
    picture = np.full((900, 600, 3), (200, 30, 10), np.uint8)
    picture.flags.writeable = False
    vector = embedder.picture(picture)
    assert vector.dtype == np.float32 and abs(float(np.linalg.norm(vector)) - 1) < 1e-5
    body = model.got[-1]
    assert [part["type"] for part in body["messages"][0]["content"]] == ["image_url"]
    shown = sent(body["messages"])
    assert shown.shape == (SENT_SIDE, SENT_SIDE, 3)
    assert tuple(shown[5, SENT_SIDE // 2]) == (10, 30, 200), "nothing is cut away above"
    embedder.words("線傷")
    assert model.got[-1]["input"] == ["線傷"]
    assert model.got[-1]["truncate_prompt_tokens"] == -1
    assert "add_generation_prompt" not in model.got[-1]
    assert set(model.keys) == {"Bearer secret"}
    assert EMBED_SIDE == SENT_SIDE


def test_the_ends_of_a_long_region_count_although_the_server_cuts(serve: Serve) -> None:
    _, embedder = serve()
    plain = np.full((20, 200, 3), 120, np.uint8)
    marked = plain.copy()
    marked[:, :30] = 250
    assert float(embedder.picture(plain) @ embedder.picture(marked)) < 0.999


def test_an_instructed_model_gets_words_by_the_template_of_its_pictures(serve: Serve) -> None:
    model, embedder = serve(kind="qwen")
    ways = embedder.found.ways
    assert (ways.picture, ways.words, ways.batched, ways.square) == ("instructed", "instructed", True, False)
    embedder.picture(noise(1))
    shown = model.got[-1]
    embedder.words("a scratch")
    said = model.got[-1]
    for body in (shown, said):
        assert body["add_generation_prompt"] and body["add_special_tokens"]
        assert body["messages"][0] == {"role": "system", "content": [{"type": "text", "text": INSTRUCTION}]}
    assert sent(shown["messages"]).shape == (60, 80, 3)
    assert said["messages"][1]["content"] == [{"type": "text", "text": "a scratch"}]


@pytest.mark.parametrize("batched", [True, False])
def test_many_at_once_are_what_they_are_alone(serve: Serve, batched: bool) -> None:
    model, embedder = serve(batched=batched)
    pictures = [noise(seed) for seed in range(11)]
    assert embedder.found.ways.batched == batched
    before = len(model.got)
    together = embedder.pictures(pictures)
    assert len(model.got) - before == (2 if batched else 11)
    assert np.allclose(together, [embedder.picture(one) for one in pictures], atol=1e-6)
    texts = ["scratch", "stain", "割れ"]
    assert np.allclose(embedder.texts(texts), [embedder.words(text) for text in texts], atol=1e-6)


def test_a_server_that_cannot_cut_words_gets_them_plain(serve: Serve) -> None:
    model, embedder = serve(cuts=False)
    embedder.words("scratch")
    assert "truncate_prompt_tokens" not in model.got[-1]


def test_colours_tell_whether_pictures_and_words_are_in_one_space(serve: Serve) -> None:
    _, embedder = serve()
    right, of = embedder.one_space()
    assert of == 6 and right < 6


def quiet(embedder: ServerEmbedder) -> None:
    """As if nothing had been asked for some time."""
    embedder._heard -= embed_server.QUIET_S + 1


def test_after_a_pause_the_server_is_looked_at_again(serve: Serve) -> None:
    model, embedder = serve()
    first = embedder.fingerprint
    asked = len(model.got)
    assert embedder.fingerprint == first and len(model.got) == asked, "not again at once"
    quiet(embedder)
    assert embedder.fingerprint == first and len(model.got) == asked + 2
    model.seed = 1
    quiet(embedder)
    assert agreement(first, embedder.fingerprint) < SAME_WEIGHTS
    model.kind, model.seed = "qwen", 2
    quiet(embedder)
    assert embedder.found.ways.picture == "instructed", "another model may want to be asked otherwise"


def test_other_lengths_than_before_are_one_line(serve: Serve) -> None:
    model, embedder = serve()
    embedder.words("scratch")
    model.dim = 32
    with pytest.raises(Unavailable, match="32 numbers where it gave 24 before"):
        embedder.words("scratch")
    assert embedder.words("scratch").shape == (32,), "it is looked at anew"


def test_another_model_at_the_address_is_one_line(serve: Serve) -> None:
    model, embedder = serve(chosen="embedder-2b")
    embedder.words("scratch")
    model.name = "another"
    with pytest.raises(Unavailable, match=r"answered 404: The model `embedder-2b` does not exist") as said:
        embedder.words("scratch")
    assert "\n" not in str(said.value)


def test_one_hiccup_is_forgiven(serve: Serve) -> None:
    model, embedder = serve()
    model.faults = [lambda: (503, "starting")]
    assert embedder.picture_dim == 24


LINE = '{"data": [{"embedding": %s}]}'


@pytest.mark.parametrize(("status", "text", "said"), [
    (404, "model\nnot found", "answered 404: model not found; check KENPIN_EMBED_MODEL"),
    (401, "who are you", "check KENPIN_EMBED_KEY"), (500, "out of memory", "answered 500: out of memory"),
    (429, "busy", "answered 429: busy"), (200, "not json", "did not answer with one vector"),
    (200, '{"data": []}', "did not answer with one vector"), (200, LINE % "[0, 0]", "did not answer with one vector"),
    (200, LINE % "[1, NaN]", "did not answer with one vector"), (200, LINE % '"AAAA"', "did not answer with one vector"),
    (200, "[]", "did not answer"), (302, "", "answered 302")])
def test_faults_of_the_server_are_one_line(serve: Serve, status: int, text: str, said: str) -> None:
    model, embedder = serve(chosen="m")
    model.faults = [lambda: (status, text)] * 2
    with pytest.raises(Unavailable) as raised:
        embedder.words("scratch")
    assert said in str(raised.value) and "\n" not in str(raised.value) and "(model m)" in str(raised.value)


@pytest.mark.parametrize(("about", "said"), [
    ({"kind": "chat"}, "serve an embedding model there: kenpin serve MODEL --embed"),
    ({"kind": "text"}, "takes no pictures.*not a multimodal model"),
    ({"blind": True}, "gives all pictures the same vector")])
def test_the_wrong_kind_of_model_is_one_line(serve: Serve, about: dict[str, Any], said: str) -> None:
    _, embedder = serve(**about)
    with pytest.raises(Unavailable, match=said) as raised:
        embedder.picture(noise(1))
    assert "\n" not in str(raised.value)


def test_a_server_that_hangs_is_given_up_at_once(serve: Serve) -> None:
    model, embedder = serve(chosen="m", timeout_s=0.2)

    def slow() -> tuple[int, str]:
        time.sleep(0.5)
        return 200, "{}"

    model.faults = [slow] * 3
    with pytest.raises(Unavailable, match=r"did not answer within 0\.2 s"):
        embedder.words("scratch")
    assert len(model.got) == 1, "one that hangs is not asked again"


def test_no_server_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed_line, "PAUSE_S", 0.0)
    for url in ("http://127.0.0.1:9/v1", "no address"):
        embedder = ServerEmbedder(url)
        with pytest.raises(Unavailable, match="does not answer"):
            embedder.words("scratch")
        embedder.close()


def test_fingerprints_agree_only_where_lengths_and_vectors_do() -> None:
    rng = np.random.default_rng(0)
    one, two = (rng.normal(size=size).astype(np.float32) for size in (300, 40))
    noted = sketch([one, two])
    assert agreement(noted, noted) > 0.9999
    assert agreement(noted, sketch([one * 1.01, two])) > 0.9999
    assert agreement(noted, sketch([one, -two])) < 0
    for other in (sketch([one[:299], two]), sketch([one]), "", "None", "3:xx"):
        assert agreement(noted, other) == 0.0
