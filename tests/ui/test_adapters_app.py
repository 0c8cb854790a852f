"""Adapters on the administration page; headless, over a server that takes what it is given."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from kenpin.adapter_service import AdapterService
from kenpin.config import Settings
from kenpin.contracts.people import Actor, Role
from kenpin.contracts.trace import PlannerInfo, Turn
from kenpin.security.credentials import Hasher
from kenpin.security.people import People
from ui.i18n import Language, Texts, texts_of
from ui.parts.plain import plain
from ui.state import KEY, Session

HERE = Path(__file__).parent
walk = SimpleNamespace(**run_path(str(HERE / "walking.py")))
double = SimpleNamespace(**run_path(str(HERE.parent / "adapters_double.py")))
WORDS = "four unrelated words here"
CONSOLE = Actor(name="console:root", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Any]:
    with double.serving(double.model(tmp_path / "model")) as running:
        yield running


def furnished(scripted: ModuleType, patch: pytest.MonkeyPatch, home: Path, **settings: Any) -> Any:
    """An installation with an administrator who is signed in, and two adapters in its folder."""
    import ui.who

    for seed, name in enumerate(("line-a", "line-b"), 1):
        double.adapter(home / "adapters" / name, seed=seed)
    kenpin = replace(scripted.open_scripted(home), settings=Settings(home=home, **settings))
    made = walk.House(kenpin, patch)
    people = People(kenpin.database, kenpin.audit, kenpin.settings, Hasher.for_tests(), console=True)
    kenpin.__dict__["people"] = people
    people.accounts.add(CONSOLE, "ann", roles=[Role.ADMINISTRATOR], printed_name="Ann", password=WORDS)
    actor = people.sign_in("ann", WORDS)
    patch.setattr(ui.who, "token", lambda: actor.session)
    return made


@pytest.fixture
def house(scripted: ModuleType, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    yield furnished(scripted, monkeypatch, tmp_path / "home", planner="vllm", vllm_url=server.url)
    st.cache_resource.clear()


def opened(lang: Language = "en", page: str = "admin", **params: str) -> AppTest:
    app = AppTest.from_file(walk.APP, default_timeout=30)
    app._page_hash = calc_hash(page)
    for key, value in params.items():
        app.query_params[key] = value
    app.session_state[KEY] = Session(choice=lang)
    app.run()
    app._page_hash = ""
    assert not app.exception
    return app


def text(app: AppTest) -> str:
    kinds = ("markdown", "caption", "info", "error", "success", "button")
    return "\n".join(str(getattr(e, "value", "") or getattr(e, "label", "")) for kind in kinds for e in app.get(kind))


def press(app: AppTest, key: str) -> None:
    app.button(key=key).click()
    app.run()
    assert not app.exception


def load(app: AppTest, t: Texts, folder: str, name: str = "") -> None:
    app.selectbox(key=f"adapter-folder-{t.lang}").set_value(folder)
    app.text_input(key="adapter-as").set_value(name)
    next(b for b in app.button if b.label == t.raw("adapters.load")).click()
    app.run()
    assert not app.exception


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_an_adapter_is_loaded_used_put_back_and_unloaded(house: Any, server: Any, lang: Language) -> None:
    t = texts_of(lang)
    app = opened(lang)
    assert t("adapters.server", url=server.url, model=double.BASE) in text(app)
    load(app, t, "line-a", "first")
    assert list(server.loaded) == ["first"]
    assert plain(t.raw("adapters.was_loaded", name="first")) in text(app)
    assert t.raw("adapterstate.served") in text(app)
    press(app, "adapter-use-first")
    assert plain(t.raw("adapters.was_put_in_use", name="first")) in text(app)
    assert app.button(key="adapter-unload-first").disabled
    press(app, "adapter-back")
    press(app, "adapter-unload-first")
    assert plain(t.raw("adapters.was_unloaded", name="first")) in text(app)
    assert server.loaded == {}
    events = house.kenpin.audit.events(actor="ann", limit=20)
    assert [e.action for e in events if e.action.startswith("adapter.")] == [
        "adapter.unloaded", "adapter.used", "adapter.used", "adapter.loaded", "adapter.asked"]


def test_what_is_refused_is_said_in_the_language_of_the_page(house: Any, server: Any) -> None:
    double.adapter(house.kenpin.settings.home / "adapters" / "eyes",
                   double.layer("model.visual.blocks.0.attn.qkv", outputs=96))
    for lang, words in (("en", "layers of the picture encoder"), ("ja", "画像エンコーダーの層を 1 個変更していますが")):
        app = opened(lang)  # type: ignore[arg-type]
        load(app, texts_of(lang), "eyes")  # type: ignore[arg-type]
        assert any(plain(words) in e.value for e in app.error)
        load(app, texts_of(lang), "line-a", "../out")  # type: ignore[arg-type]
        assert len(app.error) == 1
    assert (server.loads, server.loaded) == (0, {})


def test_names_of_the_server_are_never_markup(house: Any, server: Any) -> None:
    server.loaded["<b>:red[x]"] = "[a](http://b.example)"
    server.list()
    app = opened()
    assert plain("<b>:red[x]") in text(app)
    assert "<b>" not in text(app)
    assert "](http" not in text(app)


def test_a_server_that_lost_it_and_a_name_in_the_settings(scripted: ModuleType, house: Any, server: Any, tmp_path: Path,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened()
    load(app, texts_of("en"), "line-a")
    press(app, "adapter-use-line-a")
    server.restart()
    app.run()
    assert texts_of("en").raw("adapterstate.lost") in text(app)
    furnished(scripted, monkeypatch, tmp_path / "other", vllm_url=server.url, vllm_model="line-b")
    app = opened()
    assert texts_of("en")("adapters.fixed", name="line-b") in text(app)
    assert texts_of("en")("adapters.not_asked", planner="Embedded") in text(app)
    furnished(scripted, monkeypatch, tmp_path / "third", vllm_url="http://127.0.0.1:9/v1")
    app = opened("ja")
    assert any("サーバーが応答しません" in e.value for e in app.error)


def test_no_server_is_asked_where_none_was_named(scripted: ModuleType, tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    furnished(scripted, monkeypatch, tmp_path / "plain")
    asked: list[Actor] = []
    monkeypatch.setattr(AdapterService, "all", lambda self, actor: asked.append(actor))
    app = opened()
    assert texts_of("en")("adapters.not_asked", planner="Embedded") in text(app)
    assert not app.error
    assert not asked


def test_the_record_names_the_adapter_with_its_hash(house: Any) -> None:
    info = PlannerInfo(backend="vllm", model="line-a", prompt="p/1", adapter="line-a", adapter_sha256="ab" * 32)
    key = house.trace(1)
    trace = house.kenpin.traces.load(key)
    last: Turn = trace.turns[0].model_copy(update={"planner": info})
    house.kenpin.traces.save(trace.model_copy(update={"turns": (last,)}))
    app = opened(page="inspection", inspection=key)
    shown = "\n".join(table.value.to_string() for table in app.table)
    assert "line\\-a" in shown or "line-a" in shown
    assert "abababababab" in shown
