"""Adapters as a service, over a server that takes whatever it is given: who may, what turns ask for, what the trace and
the audit log say, and what becomes of it when the server starts again."""

import json
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kenpin import doctor
from kenpin.adapters.keeping import Kept, kept_folder
from kenpin.cli_shared import console_actor
from kenpin.config import Settings
from kenpin.contracts.errors import BadInput, KenpinError, NotAllowed, Unavailable
from kenpin.contracts.people import Actor, Role
from kenpin.contracts.trace import PlannerInfo
from kenpin.security.credentials import Hasher
from kenpin.security.people import People
from kenpin.services import Services
from kenpin.session import material
from kenpin.wiring import open_kenpin

ROOT = Path(__file__).parents[2]
double = SimpleNamespace(**run_path(str(ROOT / "tests" / "adapters_double.py")))
ACTOR = console_actor()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Any]:
    with double.serving(double.model(tmp_path / "model")) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for seed, name in enumerate(("line-a", "line-b"), 1):
        double.adapter(tmp_path / "home" / "adapters" / name, seed=seed)
    return tmp_path / "home"


def opened(home: Path, server: Any, **more: Any) -> Services:
    """The installation, as a process that has just begun sees it."""
    told = {"home": home, "planner": "vllm", "vllm_url": server.url, "vllm_frame": "per_mille", **more}
    return Services(open_kenpin(Settings(**told), console=True))


@pytest.fixture
def services(home: Path, server: Any) -> Services:
    return opened(home, server)


def picture(home: Path) -> Path:
    file = home.parent / "part.png"
    Image.fromarray(np.full((224, 320, 3), 150, np.uint8)).save(file)
    return file


def turn(services: Services, home: Path, key: str | None = None) -> tuple[str, PlannerInfo]:
    """One turn of a new inspection, or of one that is there; its id, and the planner that the trace names."""
    key = key or services.asking.start(ACTOR, material(picture(home)))
    list(services.asking.say(ACTOR, key, "Look at it."))
    trace = services.asking.trace(ACTOR, key)
    assert trace.turns[-1].answer
    return key, trace.turns[-1].planner or trace.planner


def events(services: Services) -> list[tuple[str, str, dict[str, Any]]]:
    """What the audit log tells of adapters, the oldest first."""
    found = services.kenpin.audit.events(limit=200)
    return [(e.action, e.subject, e.detail) for e in reversed(found) if e.action.startswith("adapter.")]


def test_loading_changes_no_turn_until_it_is_put_in_use(services: Services, server: Any, home: Path) -> None:
    key, info = turn(services, home)
    assert (info.model, info.adapter, info.adapter_sha256) == (double.BASE, None, None)
    kept = services.adapters.load(ACTOR, "line-a")
    assert server.loaded == {"line-a": str(kept_folder(services.kenpin.settings) / kept.sha256)}
    turn(services, home, key)
    services.adapters.use(ACTOR, "line-a")
    _, info = turn(services, home, key)
    assert (info.model, info.adapter, info.adapter_sha256) == ("line-a", "line-a", kept.sha256)
    services.adapters.use(ACTOR, None)
    _, info = turn(services, home, key)
    assert (info.model, info.adapter_sha256) == (double.BASE, None)
    assert server.asked == [double.BASE, double.BASE, "line-a", double.BASE]
    trace = services.asking.trace(ACTOR, key)
    assert [turn.planner.adapter if turn.planner else None for turn in trace.turns] == [None, None, "line-a", None]
    assert services.adapters.unload(ACTOR, "line-a") == kept
    assert server.loaded == {}
    assert list(kept_folder(services.kenpin.settings).iterdir()) == []
    about = {"folder": "line-a", "sha256": kept.sha256}
    assert events(services) == [
        ("adapter.asked", "adapter:line-a", about), ("adapter.loaded", "adapter:line-a", about),
        ("adapter.used", "adapter:line-a", {"before": None, "sha256": kept.sha256}),
        ("adapter.used", "adapter", {"before": "line-a"}), ("adapter.unloaded", "adapter:line-a", about)]


def test_the_list_says_what_is_served_and_what_is_not(services: Services, server: Any, home: Path) -> None:
    services.adapters.load(ACTOR, "first", folder="line-a")
    services.adapters.use(ACTOR, "first")
    server.loaded["theirs"] = "/elsewhere"
    server.list()
    found = services.adapters.all(ACTOR)
    assert (found.model, found.problem, found.fixed, found.offered) == (double.BASE, None, None, ("line-a", "line-b"))
    rows = {row.name: row for row in found.adapters}
    assert (rows["first"].state, rows["first"].in_use, rows["first"].folder) == ("served", True, "line-a")
    assert (rows["theirs"].state, rows["theirs"].in_use) == ("other", False)
    server.restart()
    assert [row.state for row in services.adapters.all(ACTOR).adapters] == ["lost"]
    off = opened(home, SimpleNamespace(url="http://127.0.0.1:9/v1")).adapters.all(ACTOR)
    assert (off.model, [row.state for row in off.adapters]) == (None, ["lost"])
    assert "no server answers" in (off.problem or "")


def test_what_runs_is_not_disturbed(services: Services, server: Any, home: Path) -> None:
    services.adapters.load(ACTOR, "line-a")
    services.adapters.use(ACTOR, "line-a")
    with pytest.raises(BadInput, match="line-a is in use; put the model itself back first"):
        services.adapters.unload(ACTOR, "line-a")
    (told,) = [line.says for line in doctor._planner(services.kenpin) if line.what == "planner vllm"]
    assert f"adapter line-a {services.asking.planner(ACTOR).adapter_sha256[:12]}" in told  # type: ignore[index]
    asked, go = Event(), Event()
    answer = server.reply

    def slow(request: Any) -> Any:
        if len(request.body.get("tools", ())) > 1:
            asked.set()
            go.wait(20)
        return answer(request)

    server.reply = slow
    key = services.asking.start(ACTOR, material(picture(home)))
    runs = Thread(target=lambda: list(services.asking.say(ACTOR, key, "Look at it.")))
    runs.start()
    assert asked.wait(20)
    services.adapters.use(ACTOR, None)
    with pytest.raises(BadInput, match="a turn with line-a runs"):
        services.adapters.unload(ACTOR, "line-a")
    go.set()
    runs.join(20)
    assert services.asking.trace(ACTOR, key).planner.adapter == "line-a"
    services.adapters.unload(ACTOR, "line-a")
    assert server.asked == ["line-a"]


def test_a_server_that_was_started_again_gets_it_again(services: Services, server: Any, home: Path) -> None:
    kept = services.adapters.load(ACTOR, "line-a")
    services.adapters.use(ACTOR, "line-a")
    key, _ = turn(services, home)
    # The folder that it came from may be trained on meanwhile: what was put in use is what is loaded again.
    double.adapter(home / "adapters" / "line-a", seed=9)
    for again in (services, opened(home, server)):
        server.restart()
        _, info = turn(again, home, key)
        assert (info.adapter, info.adapter_sha256) == ("line-a", kept.sha256)
    assert server.loads == 3
    assert events(services)[-1] == ("adapter.reloaded", "adapter:line-a", {"sha256": kept.sha256})


@pytest.mark.parametrize(("harm", "words"), [
    (lambda copy: (copy / "adapter_model.safetensors").write_bytes(b"other"), "copy of it has changed"),
    (lambda copy: (copy / "adapter_config.json").unlink(), "copy of it is gone")])
def test_other_bytes_are_never_asked(services: Services, server: Any, home: Path, harm: Any, words: str) -> None:
    kept = services.adapters.load(ACTOR, "line-a")
    services.adapters.use(ACTOR, "line-a")
    key, _ = turn(services, home)
    harm(kept_folder(services.kenpin.settings) / kept.sha256)
    before, stopped = len(server.asked), []
    for restarted in (False, True):
        if restarted:
            server.restart()
        with pytest.raises(Unavailable, match=words) as caught:
            opened(home, server).asking.say(ACTOR, key, "Once more.")
        assert "kenpin adapters use --base" in str(caught.value)
        stopped.append(services.asking.start(ACTOR, material(picture(home))))
        with pytest.raises(Unavailable, match=words):
            list(services.asking.say(ACTOR, stopped[-1], "Look at it."))
    assert len(server.asked) == before
    assert server.loaded == {}
    services.adapters.use(ACTOR, None)
    assert turn(services, home, key)[1].model == double.BASE
    for waiting in stopped:
        list(services.asking.resume(ACTOR, waiting))
        last = services.asking.trace(ACTOR, waiting).turns[-1]
        assert last.answer
        assert last.planner
        assert last.planner.adapter is None


def test_a_server_that_loads_none_any_more_ends_in_one_line(services: Services, server: Any, home: Path) -> None:
    services.adapters.load(ACTOR, "line-a")
    services.adapters.use(ACTOR, "line-a")
    server.restart()
    server.fixed = True
    with pytest.raises(Unavailable, match="start it with kenpin serve --adapters-while-running") as caught:
        services.asking.start(ACTOR, material(picture(home)))
    assert "\n" not in str(caught.value)
    server.loaded["line-a"] = "/another/folder"
    server.list()
    with pytest.raises(Unavailable, match="another adapter under the name line-a"):
        services.asking.start(ACTOR, material(picture(home)))
    with pytest.raises(Unavailable, match="another adapter"):
        services.adapters.use(ACTOR, "line-a")


def test_another_planner_stands_in_only_where_it_is_configured_and_says_why(services: Services, server: Any,
                                                                           home: Path) -> None:
    services.adapters.load(ACTOR, "line-a")
    services.adapters.use(ACTOR, "line-a")
    server.restart()
    server.fixed = True
    other = opened(home, server, planner_fallback="embedded")
    key, info = turn(other, home)
    assert info.backend == "embedded"
    taken = other.asking.trace(ACTOR, key).turns[0].fallback
    assert taken
    assert "--adapters-while-running" in taken.because
    assert server.asked == []


def test_a_name_in_the_settings_wins(services: Services, server: Any, home: Path) -> None:
    services.adapters.load(ACTOR, "line-a")
    services.adapters.load(ACTOR, "line-b")
    services.adapters.use(ACTOR, "line-a")
    fixed = opened(home, server, vllm_model="line-b")
    assert fixed.adapters.all(ACTOR).fixed == "line-b"
    _, info = turn(fixed, home)
    assert info.adapter == "line-b"
    assert info.adapter_sha256 is None, "this server does not say since when it runs"
    assert opened(home, server, planner="embedded").asking.planner(ACTOR).backend == "embedded"


REFUSED = [
    ("visual", lambda: double.layer("model.visual.blocks.0.attn.qkv", outputs=96), {}, "picture encoder"),
    ("shape", lambda: double.layer(double.AT.format(0, "q_proj"), inputs=16), {}, "has the shape"),
    ("other", lambda: double.layer("model.layers.0.self_attn.q_proj"), {}, "another model"),
    ("dora", lambda: None, {"use_dora": True}, "use_dora"),
    ("nan", lambda: {k: v * np.nan for k, v in double.layer(double.AT.format(0, "q_proj")).items()}, {}, "not finite"),
    ("rank", lambda: double.layer(double.AT.format(0, "q_proj"), rank=32), {"r": 32}, "rank 32, and the server .* 16"),
]


@pytest.mark.parametrize(("name", "made", "config", "words"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_would_be_served_wrongly_is_one_line_and_nothing_is_loaded(
    services: Services, server: Any, home: Path, name: str, made: Any, config: dict[str, Any], words: str,
) -> None:
    double.adapter(home / "adapters" / name, made(), **config)
    with pytest.raises(BadInput, match=words) as caught:
        services.adapters.load(ACTOR, name)
    assert "\n" not in str(caught.value)
    assert (server.loaded, server.loads) == ({}, 0)
    assert list(kept_folder(services.kenpin.settings).iterdir()) == []
    assert services.adapters.all(ACTOR).adapters == ()
    assert events(services)[-1] == ("adapter.refused", f"adapter:{name}", {"folder": name})


def test_an_adapter_that_the_server_leaves_out_after_all_is_taken_back(services: Services, server: Any) -> None:
    server.blind = True
    with pytest.raises(BadInput, match="exactly as without it"):
        services.adapters.load(ACTOR, "line-a")
    assert (server.loads, server.loaded) == (1, {})
    assert services.adapters.all(ACTOR).adapters == ()


def test_a_server_that_cannot_be_held_against_or_does_not_answer(home: Path, server: Any, services: Services) -> None:
    (server.root / "model.safetensors").unlink()
    with pytest.raises(Unavailable, match="cannot be read here"):
        services.adapters.load(ACTOR, "line-a")
    with pytest.raises(Unavailable, match="no server answers"):
        opened(home, SimpleNamespace(url="http://127.0.0.1:9/v1")).adapters.load(ACTOR, "line-a")
    server.fixed = True
    double.save(server.root / "model.safetensors", {
        double.AT.format(0, "q_proj") + ".weight": np.zeros((32, 32), np.float16)})
    with pytest.raises(Unavailable, match="--adapters-while-running"):
        services.adapters.load(ACTOR, "line-a")


def test_names_that_cannot_be_or_are_taken(services: Services, server: Any) -> None:
    for name, folder in (("../a", None), ("a/b", None), ("a", "../../etc"), ("a", "/etc"), ("", None)):
        with pytest.raises(BadInput, match="the name of an adapter is"):
            services.adapters.load(ACTOR, name, folder=folder)
    services.adapters.load(ACTOR, "line-a")
    server.loaded["theirs"] = "/elsewhere"
    server.list()
    for name in ("line-a", "theirs", double.BASE):
        with pytest.raises(BadInput, match=r"has .* already"):
            services.adapters.load(ACTOR, name, folder="line-b")
    for act in (services.adapters.unload, services.adapters.use):
        with pytest.raises(BadInput, match="no adapter 'theirs' was loaded here"):
            act(ACTOR, "theirs")
    assert "theirs" in server.loaded


def test_two_names_may_be_one_adapter(services: Services, server: Any) -> None:
    one = services.adapters.load(ACTOR, "one", folder="line-a")
    two = services.adapters.load(ACTOR, "two", folder="line-a")
    assert one.sha256 == two.sha256
    services.adapters.unload(ACTOR, "one")
    services.adapters.use(ACTOR, "two")
    assert list(server.loaded) == ["two"]


def test_only_an_administrator_may_and_the_log_says_who_tried(services: Services, server: Any) -> None:
    people = People(services.kenpin.database, services.kenpin.audit, services.kenpin.settings, Hasher.for_tests(),
                    console=True)
    services.kenpin.__dict__["people"] = people

    def hired(name: str, *roles: Role) -> Actor:
        people.accounts.add(ACTOR, name, roles=roles, printed_name=name, password="a long enough password")
        return people.sign_in(name, "a long enough password")

    admin = hired("ann", Role.ADMINISTRATOR)
    services.adapters.load(admin, "line-a")
    for name, role in (("otto", Role.OPERATOR), ("rita", Role.REVIEWER), ("axel", Role.AUDITOR)):
        actor = hired(name, role)
        acts = (lambda: services.adapters.all(actor), lambda: services.adapters.load(actor, "line-b"),  # noqa: B023
                lambda: services.adapters.unload(actor, "line-a"), lambda: services.adapters.use(actor, "line-a"),  # noqa: B023
                lambda: services.adapters.use(actor, None))  # noqa: B023
        for act in acts:
            with pytest.raises(NotAllowed, match="it takes the role administrator"):
                act()
        said = [e for e in services.kenpin.audit.events(actor=name, limit=50) if e.action == "user.not_allowed"]
        assert [e.detail["right"] for e in said] == ["adapters"] * 5
    forged = Actor(name="otto", roles=frozenset({Role.ADMINISTRATOR}), session=hired("olga", Role.OPERATOR).session)
    with pytest.raises(KenpinError):
        services.adapters.load(forged, "line-b")
    assert list(server.loaded) == ["line-a"]
    assert services.kenpin.audit.events(subject="adapter:line-a", limit=1)[0].actor == "ann"


def test_somebody_else_is_not_overtaken(services: Services, server: Any) -> None:
    held, go = Event(), Event()

    def hold() -> None:
        with services.kenpin.holds.hold("adapters"):
            held.set()
            go.wait(20)

    other = Thread(target=hold)
    other.start()
    assert held.wait(20)
    for act in (lambda: services.adapters.load(ACTOR, "line-a"), lambda: services.adapters.use(ACTOR, None),
                lambda: services.adapters.unload(ACTOR, "line-a")):
        with pytest.raises(BadInput, match="somebody else is changing adapters"):
            act()
    go.set()
    other.join(20)
    services.adapters.load(ACTOR, "line-a")


def test_a_turn_does_not_begin_with_what_was_unloaded_meanwhile(services: Services, server: Any, home: Path) -> None:
    services.adapters.load(ACTOR, "line-a")
    services.adapters.use(ACTOR, "line-a")
    key = services.asking.start(ACTOR, material(picture(home)))
    said = services.asking.say(ACTOR, key, "Look at it.")
    services.adapters.use(ACTOR, None)
    services.adapters.unload(ACTOR, "line-a")
    with pytest.raises(Unavailable, match="was unloaded meanwhile; say it again"):
        next(said)
    assert turn(services, home, key)[1].model == double.BASE


def test_an_adapter_given_at_the_start_is_named_with_its_hash(home: Path, server: Any, tmp_path: Path,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    """If its files are older than the server's process: otherwise it may run with others."""
    from agent.planners.vllm_chat import Line
    from kenpin.adapters.keeping import sha256_of

    folder = double.adapter(tmp_path / "given")
    server.loaded["given"] = str(folder)
    server.list()
    raw = Line.raw

    def metrics(self: Line, path: str, body: Any = None) -> Any:
        said = f"process_start_time_seconds {begun}\n"
        return (200, said) if path == "/metrics" else raw(self, path, body)

    monkeypatch.setattr(Line, "raw", metrics)
    begun = 0.0
    for after, wanted in ((60.0, sha256_of(folder)), (-60.0, None)):
        begun = folder.stat().st_ctime + after
        _, info = turn(opened(home, server, vllm_model="given"), home)
        assert (info.adapter, info.adapter_sha256) == ("given", wanted)


def test_the_commands(home: Path, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from kenpin.cli import app

    for name, value in {"HOME": home, "VLLM_URL": server.url, "PLANNER": "vllm"}.items():
        monkeypatch.setenv(f"KENPIN_{name}", str(value))
    run = CliRunner()

    def said(*words: str) -> str:
        done = run.invoke(app, ["adapters", *words])
        assert done.exit_code == 0, (done.output, done.exception)
        return done.output

    assert "line-a: loaded, rank 4, sha256" in said("load", "line-a")
    assert "line-a: in use" in said("use", "line-a")
    listed = json.loads(said("list", "--json"))
    assert [(row["name"], row["state"], row["in_use"]) for row in listed["adapters"]] == [("line-a", "served", True)]
    assert "line-b" in said("list")
    assert "the model itself: in use" in said("use", "--base")
    assert "line-a: unloaded" in said("unload", "line-a")
    for words in (["use"], ["use", "a", "--base"], ["use", "none"], ["load", "none"], ["unload", "none"]):
        done = run.invoke(app, ["adapters", *words])
        assert isinstance(done.exception, KenpinError), words
    monkeypatch.setenv("KENPIN_VLLM_MODEL", double.BASE)
    assert "KENPIN_VLLM_MODEL=kenpin-base is set and is asked instead" in said("use", "--base")


def test_what_is_kept_of_an_adapter() -> None:
    assert set(Kept.model_fields) == {"name", "folder", "sha256", "rank", "by", "at"}
