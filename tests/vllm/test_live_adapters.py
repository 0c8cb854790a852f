"""Adapters that a real server loads while it runs: what it says with them, what the trace names, and what is refused."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from kenpin.adapters.keeping import kept_folder
from kenpin.cli_shared import console_actor
from kenpin.contracts.errors import BadInput, NotAllowed
from kenpin.contracts.people import Actor, Role
from kenpin.contracts.trace import PlannerInfo
from kenpin.security.credentials import Hasher
from kenpin.security.people import People
from kenpin.services import Services
from kenpin.session import material
from kenpin.wiring import open_kenpin

double = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "adapters_double.py")))
ACTOR = console_actor()
WIDTH, RANK = 192, 8


def layer(name: str, **more: Any) -> dict[str, Any]:
    made = double.layer(name, **{"inputs": WIDTH, "outputs": WIDTH, "rank": RANK, **more})
    return {key: value * np.float32(0.1) for key, value in made.items()}


def adapter(home: Path, name: str, tensors: dict[str, Any] | None = None, *, seed: int = 1, **config: Any) -> Path:
    """An adapter of two layers of the served model, in the folder that the installation allows."""
    whole = layer(double.AT.format(1, "q_proj"), seed=seed) | layer(double.AT.format(2, "v_proj"), seed=seed + 1)
    return Path(double.adapter(home / "adapters" / name, whole if tensors is None else tensors, **{"r": RANK, **config}))


def opened(changing: Any, **more: Any) -> Services:
    """An installation that shares the folder of the server, as a process that has just begun."""
    told = {"home": changing.home, "max_steps": 1, "vllm_frame": "per_mille", **more}
    return Services(open_kenpin(changing.settings(**told), console=True))


def said(changing: Any, model: str, times: int = 1) -> list[float]:
    """How likely each token of an answer is; `times` makes the prompt longer than a block of the prefix cache."""
    reply = changing.post("/v1/chat/completions", model=model, temperature=0, max_tokens=8, logprobs=True,
                          ignore_eos=True, messages=[{"role": "user", "content": "What is it? " * times}])
    assert reply["status"] == 200, reply
    return [token["logprob"] for token in reply["choices"][0]["logprobs"]["content"]]


def turn(services: Services, folder: Path) -> PlannerInfo:
    """One turn of a new inspection: the planner that its trace names."""
    Image.fromarray(np.full((224, 320, 3), 150, np.uint8)).save(folder / "part.png")
    key = services.asking.start(ACTOR, material(folder / "part.png"))
    list(services.asking.say(ACTOR, key, "Look at it."))
    trace = services.asking.trace(ACTOR, key)
    assert trace.turns[0].answer
    return trace.planner


def test_a_second_adapter_is_loaded_used_named_and_unloaded(changing: Any, home: Path, tmp_path: Path) -> None:
    services = opened(changing)
    for seed, name in ((11, "line-b"), (21, "line-c")):
        adapter(changing.home, name, seed=seed)
    base, first = said(changing, "kenpin-random"), said(changing, "line-a")
    kept = services.adapters.load(ACTOR, "line-b")
    other = services.adapters.load(ACTOR, "line-c")
    second = said(changing, "line-b")
    for one, two in ((base, first), (base, second), (first, second), (second, said(changing, "line-c"))):
        assert one != pytest.approx(two, abs=1e-2)
    assert turn(services, tmp_path).adapter is None
    services.adapters.use(ACTOR, "line-b")
    info = turn(services, tmp_path)
    assert (info.model, info.adapter, info.adapter_sha256) == ("line-b", "line-b", kept.sha256)
    services.adapters.use(ACTOR, None)
    services.adapters.unload(ACTOR, "line-b")
    services.adapters.unload(ACTOR, "line-c")
    assert kept.sha256 != other.sha256
    assert changing.post("/v1/chat/completions", model="line-b", messages=[])["status"] == 404
    assert (turn(services, tmp_path).model, turn(services, tmp_path).adapter_sha256) == ("kenpin-random", None)
    assert said(changing, "kenpin-random") == pytest.approx(base, abs=1e-3)


def test_one_given_at_the_start_is_named_with_its_hash(changing: Any, home: Path, tmp_path: Path) -> None:
    from kenpin.adapters.keeping import sha256_of

    info = turn(opened(changing, vllm_model="line-a"), tmp_path)
    assert (info.adapter, info.adapter_sha256) == ("line-a", sha256_of(changing.model.with_name("adapter")))


def test_a_name_whose_files_were_trained_on_is_another_adapter(changing: Any, home: Path) -> None:
    """vLLM's cache of prompts goes by name and folder: from one folder, the second training answered from the first's
    memory. Copies lie in folders named by their bytes."""
    services = opened(changing)
    answers = []
    for name, seed in (("again", 31), ("again", 41), ("fresh", 41)):
        adapter(changing.home, name, seed=seed)
        services.adapters.load(ACTOR, name)
        answers.append(said(changing, name, times=200))
        services.adapters.unload(ACTOR, name)
    assert answers[0] != pytest.approx(answers[1], abs=1e-2)
    assert answers[1] == pytest.approx(answers[2], abs=1e-3)


WRONG = [
    ("visual", lambda: layer("model.visual.blocks.0.attn.qkv", outputs=3 * WIDTH), {}, "picture encoder"),
    ("mixed", lambda: layer(double.AT.format(0, "q_proj")) | layer("model.visual.blocks.0.attn.qkv", outputs=3 * WIDTH),
     {}, "1 layers of the picture encoder"),
    ("small", lambda: layer(double.AT.format(0, "q_proj"), inputs=96, outputs=96), {}, "has the shape 8×96; 8×192 fits"),
    ("large", lambda: layer(double.AT.format(0, "q_proj"), outputs=384), {}, "has the shape 384×8; 192×8 fits"),
    ("ranks", lambda: layer(double.AT.format(0, "q_proj"), rank=4), {}, "has the shape 4×192; 8×192 fits"),
    ("high", lambda: layer(double.AT.format(0, "q_proj"), rank=32), {"r": 32}, "rank 32, and .* for rank 16 at most"),
    ("highest", lambda: layer(double.AT.format(0, "q_proj")), {"r": 1024}, "rank 1024; 1 to 512"),
    ("other", lambda: layer("model.layers.0.self_attn.q_proj"), {}, "trained on another model"),
    ("layer", lambda: layer(double.AT.format(99, "q_proj")), {}, "trained on another model"),
    ("head", lambda: layer("lm_head", outputs=1536), {}, "without it too"),
    ("nan", lambda: {key: value * np.nan for key, value in layer(double.AT.format(0, "q_proj")).items()}, {},
     "not finite"),
    ("dora", lambda: None, {"use_dora": True}, "sets use_dora"),
    ("loha", lambda: None, {"peft_type": "LOHA"}, "kind LOHA"),
]


@pytest.mark.parametrize(("name", "made", "config", "words"), WRONG, ids=[row[0] for row in WRONG])
def test_what_it_would_leave_out_or_take_wrongly_is_one_line(changing: Any, home: Path, name: str, made: Any,
                                                             config: dict[str, Any], words: str) -> None:
    services = opened(changing)
    adapter(changing.home, name, made(), **config)
    base = said(changing, "kenpin-random")
    with pytest.raises(BadInput, match=words) as caught:
        services.adapters.load(ACTOR, name)
    assert "\n" not in str(caught.value)
    assert [row.name for row in services.adapters.all(ACTOR).adapters] == ["line-a"]
    assert said(changing, "kenpin-random") == pytest.approx(base, abs=1e-3)


def test_the_server_itself_would_have_taken_them(changing: Any, home: Path) -> None:
    """Why the checks are there: what a copy in the right folder would come to, were it not looked at."""
    quiet = {"visual": layer("model.visual.blocks.0.attn.qkv", outputs=3 * WIDTH),
             "other": layer("model.layers.0.self_attn.q_proj"), "layer": layer(double.AT.format(99, "q_proj"))}
    kept = kept_folder(changing.settings(home=changing.home))
    kept.mkdir(parents=True, exist_ok=True)
    base = said(changing, "kenpin-random")
    for name, tensors in quiet.items():
        folder = double.adapter(kept / f"quiet-{name}", tensors, r=RANK)
        asked = {"lora_name": name, "lora_path": str(folder)}
        assert told(changing, "/v1/load_lora_adapter", asked) == 200
        assert said(changing, name) == base, "left out without a word"
        assert told(changing, "/v1/unload_lora_adapter", {"lora_name": name}) == 200
    folder = double.adapter(kept / "quiet-small", layer(double.AT.format(0, "q_proj"), inputs=96, outputs=96), r=RANK)
    assert told(changing, "/v1/load_lora_adapter", {"lora_name": "small", "lora_path": str(folder)}) == 200
    assert said(changing, "small") != base, "a quarter of a layer was taken for the whole"
    assert told(changing, "/v1/unload_lora_adapter", {"lora_name": "small"}) == 200


def told(changing: Any, path: str, body: dict[str, Any] | None = None, *, key: bool = True, verb: str = "POST") -> int:
    reply = httpx.request(verb, f"http://127.0.0.1:{changing.port}{path}", json=body or {}, timeout=60, trust_env=False,
                          headers=changing.headers if key else {})
    return reply.status_code


def test_nobody_loads_past_the_guard(changing: Any, home: Path) -> None:
    """vLLM's own key leaves `/adapters` open, which takes any folder of the machine."""
    outside = double.adapter(changing.home / "outside", layer(double.AT.format(0, "q_proj")), r=RANK)
    body, other = {"lora_name": "x", "lora_path": str(outside)}, {"name": "x", "src": str(outside)}
    for path in ("/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/adapters", "/invocations", "/tokenize",
                 "/metrics", "/v1/models"):
        assert told(changing, path, body | other, key=False) == 401, path
    assert told(changing, "/adapters/line-a", key=False, verb="DELETE") == 401
    assert told(changing, "/adapters", other) == told(changing, "/adapters/line-a", verb="DELETE") == 404
    for path in (outside, changing.home / "adapters" / "line-b", kept_folder(changing.settings(home=changing.home)) / ".."
                 / ".." / "outside", "some/repository"):
        assert told(changing, "/v1/load_lora_adapter", {"lora_name": "x", "lora_path": str(path)}) == 403, path
    assert told(changing, "/health", key=False, verb="GET") == 200
    assert [row.name for row in opened(changing).adapters.all(ACTOR).adapters] == ["line-a"]


def test_only_an_administrator_may(changing: Any, home: Path) -> None:
    services = opened(changing)
    people = People(services.kenpin.database, services.kenpin.audit, services.kenpin.settings, Hasher.for_tests(),
                    console=True)
    services.kenpin.__dict__["people"] = people
    people.accounts.add(ACTOR, "otto", roles=(Role.OPERATOR, Role.REVIEWER), printed_name="Otto",
                        password="a long enough password")
    otto: Actor = people.sign_in("otto", "a long enough password")
    adapter(changing.home, "line-b", seed=11)
    with pytest.raises(NotAllowed, match="it takes the role administrator"):
        services.adapters.load(otto, "line-b")
    event = services.kenpin.audit.events(actor="otto", limit=1)[0]
    assert (event.action, event.detail["right"]) == ("user.not_allowed", "adapters")
    assert [row.name for row in services.adapters.all(ACTOR).adapters] == ["line-a"]


def test_a_server_that_was_started_again_gets_it_again(changing: Any, home: Path, tmp_path: Path) -> None:
    """Comes last: it stops the server."""
    services = opened(changing)
    adapter(changing.home, "line-b", seed=11)
    kept = services.adapters.load(ACTOR, "line-b")
    services.adapters.use(ACTOR, "line-b")
    assert turn(services, tmp_path).adapter_sha256 == kept.sha256
    before = said(changing, "line-b")
    assert changing.stop() == 0
    changing.start()
    assert changing.post("/v1/chat/completions", model="line-b", messages=[])["status"] == 404
    assert [row.state for row in services.adapters.all(ACTOR).adapters] == ["lost", "other"]
    for again in (services, opened(changing)):
        info = turn(again, tmp_path)
        assert (info.adapter, info.adapter_sha256) == ("line-b", kept.sha256)
    assert said(changing, "line-b") == pytest.approx(before, abs=1e-3)
    assert services.kenpin.audit.events(limit=1, action="adapter.reloaded")[0].detail == {"sha256": kept.sha256}
