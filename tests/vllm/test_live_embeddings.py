"""Past cases by a real pooling server: a small model of the CLIP architecture with random weights, and then, under the
same name at the same address, one of the Qwen3-VL architecture as Qwen3-VL-Embedding is asked. Weights know nothing:
that what the server makes of a picture arrives, finds its own like, and is never mixed, is what is tested. What ends the
server comes last, in order.
"""

import base64
import json
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from agent.inspector import Material, Photo
from kenpin.cases.embed_server import ServerEmbedder
from kenpin.cases.embed_ways import INSTRUCTION, data_uri
from kenpin.contracts.case import CaseQuery
from kenpin.contracts.errors import StoreError, Unavailable
from kenpin.doctor import examine
from kenpin.wiring import Kenpin, open_kenpin
from tools.recall import cut_out

SAME = 0.999
"""Cosine that vectors of the same input have, whatever they are computed beside, in half precision."""
TEXTS = ["a scratch on the cover", "oil stain", "ひび割れ", "returned to the supplier", "scratch " * 120]


@pytest.fixture
def embedder(pooling: Any) -> Iterator[ServerEmbedder]:
    opened = ServerEmbedder(pooling.url, timeout_s=300)
    yield opened
    opened.close()


def part(seed: int, height: int = 240, width: int = 320) -> np.ndarray:
    """A surface of its own tone and grain with blots."""
    rng = np.random.default_rng(seed)
    grain = cv2.resize(rng.integers(0, 120, (height // 16, width // 16, 3), dtype=np.uint8), (width, height))
    picture = np.clip(grain.astype(int) + rng.integers(0, 130, 3), 0, 255).astype(np.uint8)
    for _ in range(6):
        place, colour = rng.integers(20, 200, 2), rng.integers(0, 255, 3)
        cv2.circle(picture, (int(place[0]), int(place[1])), int(rng.integers(8, 30)), [int(c) for c in colour], -1)
    return picture


def as_sent(pixels: np.ndarray, *, square: bool) -> np.ndarray:
    """The pixels that the server gets."""
    data = np.frombuffer(base64.b64decode(data_uri(pixels, square=square).split(",")[1]), np.uint8)
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray((one * other).sum(axis=1))


def test_a_clip_says_what_it_takes(embedder: ServerEmbedder) -> None:
    found = embedder.found
    assert (found.ways.picture, found.ways.words) == ("alone", "cut")
    assert found.ways.batched
    assert found.ways.square, "it cuts the middle out of a picture"
    assert (embedder.name, embedder.picture_dim, embedder.words_dim) == ("server:embedder", 96, 96)


def test_vectors_are_what_transformers_makes_of_the_same_weights(pooling: Any, embedder: ServerEmbedder) -> None:
    pictures = [part(seed, *size) for seed, size in enumerate([(240, 320), (100, 500), (64, 64), (900, 200)])]
    asked = {f"picture{i}": as_sent(one, square=True) for i, one in enumerate(pictures)}
    theirs = pooling.by_transformers({**asked, "texts": np.array(TEXTS)})
    ours = embedder.pictures(pictures), embedder.texts(TEXTS)
    for vectors in ours:
        assert np.isfinite(vectors).all()
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert cosines(ours[0], theirs["pictures"]).min() > SAME
    assert cosines(ours[1], theirs["texts"]).min() > SAME, "the last is longer than the model takes"


def test_pictures_and_words_at_once_are_what_they_are_alone(embedder: ServerEmbedder) -> None:
    """vllm#53091: texts that were batched with pictures came out all alike."""
    pictures = [part(seed) for seed in range(8)]
    alone = np.stack([*map(embedder.picture, pictures)]), np.stack([*map(embedder.words, TEXTS)])
    assert np.linalg.norm(alone[1][0] - alone[1][1]) > 0.1
    with ThreadPoolExecutor(8) as pool:
        seen = [pool.submit(embedder.pictures, pictures) for _ in range(4)]
        said = [pool.submit(embedder.texts, TEXTS) for _ in range(4)]
        for future in seen:
            assert cosines(future.result(), alone[0]).min() > SAME
        for future in said:
            assert cosines(future.result(), alone[1]).min() > SAME


def test_a_crop_is_nearer_than_another_part(embedder: ServerEmbedder) -> None:
    parts = [part(seed) for seed in range(6)]
    whole = embedder.pictures(parts)
    crops = embedder.pictures([one[10:230, 10:310] for one in parts])
    assert (np.argmax(crops @ whole.T, axis=1) == np.arange(6)).all()


def test_the_server_fetches_nothing_and_does_not_chat(pooling: Any) -> None:
    shown = {"type": "image_url", "image_url": {"url": f"http://127.0.0.1:{pooling.port}/health"}}
    chat = [{"role": "user", "content": [shown]}]
    refused = httpx.post(f"{pooling.url}/embeddings", json={"model": "embedder", "messages": chat}, timeout=60)
    assert refused.status_code == 400
    assert "allowed domains" in refused.text
    assert httpx.post(f"{pooling.url}/chat/completions", json={"model": "embedder", "messages": chat},
                      timeout=60).status_code == 404


def test_a_planner_at_the_address_is_one_line(live: Any) -> None:
    embedder = ServerEmbedder(live.url, timeout_s=300)
    with pytest.raises(Unavailable, match=r"answered 404.*kenpin serve MODEL --embed") as said:
        embedder.words("scratch")
    assert "\n" not in str(said.value)
    embedder.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, pooling: Any) -> Path:
    """A data folder with Kenpin's examples, described by the offline embedder."""
    folder = tmp_path_factory.mktemp("house")
    kenpin = open_kenpin(pooling.settings(home=folder, embed_url=None), console=True)
    assert len(kenpin.cases.all()) >= 20
    kenpin.cases.close()
    return folder


def found_by(kenpin: Kenpin, case_id: str) -> dict[str, str]:
    """The best hit by a case's region, by its picture, and by its own words."""
    case = kenpin.cases.get(case_id)
    pixels = kenpin.pictures.get(case.picture)
    assert case.box
    asked = {"region": (CaseQuery(k=3), cut_out(pixels, case.box), None), "picture": (CaseQuery(k=3), None, pixels),
             "words": (CaseQuery(words=case.cause, k=3), None, None)}
    hits = {by: kenpin.cases.search(query, region=region, picture=picture)
            for by, (query, region, picture) in asked.items()}
    assert all(hit.likeness < 0.99 for found in hits.values() for hit in found[1:]), "not everything is alike"
    return {by: found[0].case.id for by, found in hits.items()}


CASE = "example-ball-screw-03"
SEEN = "Have we seen a pit like this before?"


def test_a_case_base_is_never_mixed_and_can_be_described_anew(pooling: Any, house: Path) -> None:
    offline = open_kenpin(pooling.settings(home=house, embed_url=None), console=True)
    before = found_by(offline, CASE)
    kenpin = open_kenpin(pooling.settings(home=house), console=True)
    for use in (lambda: kenpin.cases.search(CaseQuery(words="scratch")),
                lambda: kenpin.cases.add(offline.cases.get(CASE), pixels=part(1))):
        with pytest.raises(StoreError, match=r"kenpin-learnt\+.*not server:embedder.*kenpin cases rebuild") as said:
            use()
        assert "\n" not in str(said.value)
    assert len(kenpin.readable_cases.all()) == len(offline.cases.all())
    assert kenpin.stored_cases.rebuild(kenpin.pictures) == len(offline.cases.all())
    assert found_by(kenpin, CASE) == {"region": CASE, "picture": CASE, "words": CASE}
    with pytest.raises(StoreError, match=r"server:embedder, not kenpin-learnt"):
        offline.cases.search(CaseQuery(words="scratch"))
    offline.stored_cases.rebuild(offline.pictures)
    assert found_by(offline, CASE) == before
    with pytest.raises(StoreError, match=r"kenpin-learnt\+"):
        kenpin.cases.search(CaseQuery(words="scratch"))
    kenpin.stored_cases.rebuild(kenpin.pictures)


def test_unrelated_cases_are_hardly_alike_whatever_the_cosines(pooling: Any, house: Path) -> None:
    """The baseline is measured in the store: at most a fifth of cases of other types stand out."""
    kenpin = open_kenpin(pooling.settings(home=house), console=True)
    likeness = []
    for case in kenpin.cases.all():
        pixels = kenpin.pictures.get(case.picture)
        hits = kenpin.cases.search(CaseQuery(k=50), region=cut_out(pixels, case.box)) if case.box else []
        likeness += [hit.likeness for hit in hits if hit.case.defect_type != case.defect_type]
    assert len(likeness) > 200
    assert 0.05 < np.mean(np.array(likeness) > 0) < 0.3


def test_doctor_says_what_the_server_takes(pooling: Any, house: Path) -> None:
    findings = examine(open_kenpin(pooling.settings(home=house), console=True))
    said = {finding.what: finding for finding in findings if "embed" in finding.what or finding.what == "past cases"}
    assert all(finding.ok for finding in said.values())
    assert "server:embedder" in said["past cases"].says
    assert "pictures alone, pictures made square" in said["embedding server"].says


def test_it_hangs_and_goes_on(pooling: Any, house: Path) -> None:
    kenpin = open_kenpin(pooling.settings(home=house, embed_timeout=2.0), console=True)
    case = kenpin.cases.get(CASE)
    parts = pooling.parts()
    assert len(parts) >= 2
    for one in parts:
        os.kill(one, signal.SIGSTOP)
    try:
        inspector = kenpin.inspector("embedded")
        key = inspector.start(Material(subject=Photo(kenpin.pictures.get(case.picture))))
        list(inspector.say(key, SEEN))
        assert kenpin.readable_cases.get(CASE) == case
    finally:
        for one in parts:
            os.kill(one, signal.SIGCONT)
    turn = inspector.trace(key).turns[-1]
    failed = next(step for step in turn.steps if step.tool == "recall")
    assert failed.status == "failed"
    assert "did not answer within 2 s" in str(failed)
    assert turn.answer.verdict == "uncertain"
    patient = open_kenpin(pooling.settings(home=house), console=True).inspector("embedded")
    list(patient.say(key, SEEN))
    turn = patient.trace(key).turns[-1]
    assert [step.status for step in turn.steps if step.tool == "recall"] == ["ok"]


@pytest.fixture(scope="module")
def successor(pooling: Any, written: Path) -> Path:
    """The planner's model as an embedding model: its tokenizer ends what it reads, as Qwen3-VL-Embedding's does."""
    folder = pooling.home / "qwen"
    shutil.copytree(written, folder)
    file = folder / "tokenizer.json"
    words = json.loads(file.read_text())
    number = next(one["id"] for one in words["added_tokens"] if one["content"] == "<|endoftext|>")
    ending = {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}
    words["post_processor"] = {
        "type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, ending],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}, ending],
        "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [number], "tokens": ["<|endoftext|>"]}}}
    file.write_text(json.dumps(words))
    return Path(folder)


def test_it_is_killed_and_comes_back_as_another_model(pooling: Any, house: Path, successor: Path) -> None:
    """No turn, no case and no search is lost or mixed; what is open in this process goes on after a rebuild."""
    kenpin = open_kenpin(pooling.settings(home=house), console=True)
    number = len(kenpin.cases.search(CaseQuery(words="pit", k=50)))
    for one in pooling.parts():
        os.kill(one, signal.SIGKILL)
    assert pooling.process.wait(timeout=60) == 3
    assert "ended by itself" in pooling.out[-1].read_text()
    with pytest.raises(Unavailable, match="does not answer; start it, or check KENPIN_EMBED_URL"):
        kenpin.cases.search(CaseQuery(words="pit"))
    away = open_kenpin(pooling.settings(home=house), console=True)
    assert len(away.readable_cases.all()) >= number
    with pytest.raises(Unavailable):
        away.stored_cases.rebuild(away.pictures)
    pooling.model = successor
    pooling.start()
    with pytest.raises(StoreError, match=r"other weights than server:embedder has now.*kenpin cases rebuild"):
        kenpin.cases.search(CaseQuery(words="pit"))
    with pytest.raises(StoreError, match="other weights"):
        kenpin.cases.add(kenpin.cases.get(CASE), pixels=part(1))
    away.stored_cases.rebuild(away.pictures)
    assert found_by(kenpin, CASE) == {"region": CASE, "picture": CASE, "words": CASE}


def test_an_embedding_model_of_the_qwen_class_is_told_what_to_do(pooling: Any, successor: Path) -> None:
    assert pooling.model == successor
    embedder = ServerEmbedder(pooling.url, timeout_s=300)
    found = embedder.found
    assert (found.ways.picture, found.ways.words) == ("instructed", "instructed")
    assert found.ways.batched and not found.ways.square
    pictures = [part(seed, *size) for seed, size in enumerate([(240, 320), (96, 480), (64, 64)])]
    asked = {f"picture{i}": as_sent(one, square=False) for i, one in enumerate(pictures)}
    theirs = pooling.by_transformers({**asked, "texts": np.array(TEXTS), "instruction": np.array(INSTRUCTION)})
    assert cosines(embedder.pictures(pictures), theirs["pictures"]).min() > SAME
    assert cosines(embedder.texts(TEXTS), theirs["texts"]).min() > SAME
    embedder.close()


def test_it_ends_with_all_its_parts(pooling: Any) -> None:
    parts = pooling.parts()
    assert pooling.stop() == 0
    assert pooling.out[-1].read_text().endswith("stopped\n")
    for one in parts:
        with pytest.raises(ProcessLookupError):
            os.kill(one, 0)
