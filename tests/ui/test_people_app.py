"""Who is signed in, the way in and out, and the administration page; headless."""

from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from kenpin.contracts.people import Actor, Role
from kenpin.contracts.review import Rules
from kenpin.security.credentials import Hasher
from kenpin.security.people import People
from ui.i18n import texts_of
from ui.parts.plain import plain
from ui.state import KEY, Session

HERE = Path(__file__).parent
walk = SimpleNamespace(**run_path(str(HERE / "walking.py")))
WORDS = "four unrelated words here"
CONSOLE = Actor(name="console:root", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")
EN = texts_of("en")


@pytest.fixture
def house(scripted: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An installation whose passwords are hashed quickly; `house.token` is what the browser sends."""
    import ui.who

    made = walk.House(scripted.open_scripted(tmp_path / "home"), monkeypatch)
    kenpin = made.kenpin
    people = People(kenpin.database, kenpin.audit, kenpin.settings, Hasher.for_tests(), console=True)
    kenpin.__dict__["people"] = people
    made.token = None
    monkeypatch.setattr(ui.who, "token", lambda: made.token)
    made.people = people
    yield made
    st.cache_resource.clear()


def hire(house: Any, **roles: str) -> None:
    for name, role in roles.items():
        house.people.accounts.add(CONSOLE, name, roles=[Role(role)], printed_name=f"{name.title()} <b>Example</b>",
                                  password=WORDS)


def sign_in(house: Any, name: str) -> Actor:
    actor = house.people.sign_in(name, WORDS)
    house.token = actor.session
    return actor


def opened(page: str = "chat", lang: str = "en") -> AppTest:
    app = AppTest.from_file(walk.APP, default_timeout=30)
    app._page_hash = calc_hash(page)
    app.session_state[KEY] = Session(choice=lang)
    app.run()
    app._page_hash = ""
    assert not app.exception
    return app


def text(app: AppTest) -> str:
    kinds = ("markdown", "caption", "info", "error", "success", "button", "html")
    return "\n".join(str(getattr(e, "value", "") or getattr(e, "label", "") or e.proto) for kind in kinds for e in app.get(kind))


def press(app: AppTest, label: str) -> AppTest:
    found = [b for b in app.button if b.label == label]
    assert found, [b.label for b in app.button]
    found[0].click()
    return app.run()


def test_a_guest_is_told_how_to_make_accounts(house: Any) -> None:
    app = opened()
    caption = next(c for c in app.caption if c.value == EN.raw("person.guest"))
    assert "kenpin users add" in caption.help
    assert walk.menu(app) == ["chat", "queue", "cases"]


@pytest.mark.parametrize("token", [None, "", "forged", "A" * 43])
def test_without_a_session_there_is_only_the_way_in(house: Any, token: str | None) -> None:
    hire(house, ann="administrator")
    house.token = token
    app = opened("admin")
    assert EN.raw("signin.ended") in text(app)
    assert 'href="/auth/sign-in"' in text(app)
    assert not app.button
    assert "ann" not in text(app)


def test_a_session_that_ends_while_the_page_is_open_shows_nothing_more(house: Any) -> None:
    hire(house, ann="administrator")
    actor = sign_in(house, "ann")
    app = opened("admin")
    assert "Ann" in text(app)
    house.people.sign_out(actor.session)
    app.run()
    assert EN.raw("signin.ended") in text(app)
    assert "Ann" not in text(app)


@pytest.mark.parametrize(("role", "menu"), [
    ("operator", ["chat", "queue", "cases"]), ("reviewer", ["chat", "queue", "cases"]),
    ("auditor", ["queue", "cases", "audit"]), ("administrator", ["chat", "queue", "cases", "audit", "admin"]),
])
def test_the_menu_follows_the_role(house: Any, role: str, menu: list[str]) -> None:
    hire(house, ann="administrator", kim=role)
    sign_in(house, "kim")
    app = opened("queue")
    assert walk.menu(app) == menu
    assert plain("Kim <b>Example</b>") in text(app)
    assert "Kim <b>Example</b>" not in text(app)
    assert role in text(app)


def test_another_person_over_the_same_connection_sees_nothing_of_the_one_before(house: Any) -> None:
    hire(house, ann="administrator", kim="operator")
    sign_in(house, "ann")
    app = opened("chat")
    app.session_state[KEY].kept = "what ann had typed"
    sign_in(house, "kim")
    app.run()
    assert app.session_state[KEY].kept is None


def test_an_administrator_makes_an_account(house: Any) -> None:
    hire(house, ann="administrator")
    sign_in(house, "ann")
    app = opened("admin")
    app.text_input(key="new-name").set_value("Taro")
    app.text_input(key="new-printed").set_value("検品 太郎")
    app.multiselect(key="new-roles-en").set_value([Role.REVIEWER])
    app.text_input(key="new-password").set_value("short")
    press(app, EN.raw("people.make"))
    assert any("at least 12" in e.value for e in app.error)
    app.text_input(key="new-password").set_value(WORDS)
    press(app, EN.raw("people.make"))
    assert any("account made" in s.value for s in app.success)
    made = house.people.sign_in("taro", WORDS)
    assert made.roles == {Role.REVIEWER}
    assert WORDS not in text(app)


def test_roles_locks_and_sessions_are_an_administrators(house: Any) -> None:
    hire(house, ann="administrator", kim="operator")
    for _ in range(5):
        with pytest.raises(Exception, match="locked"):
            house.people.sign_in("kim", "wrong words here")
    sign_in(house, "ann")
    app = opened("admin")
    assert "locked until" in text(app)
    app.button(key="unlock-kim").click()
    app.run()
    kim = house.people.sign_in("kim", WORDS)
    app.run()
    app.button(key="end-kim").click()
    app.run()
    with pytest.raises(Exception, match="ended"):
        house.people.actor(kim.session)
    app.multiselect(key="roles-field-kim-en").set_value([Role.AUDITOR])
    [b for b in app.button if b.label == EN.raw("people.set_roles")][1].click()
    app.run()
    assert house.people.sign_in("kim", WORDS).roles == {Role.AUDITOR}
    app.button(key="disable-ann").click()
    app.run()
    assert any("last active administrator" in e.value for e in app.error)
    assert house.people.actor(house.token)


def test_rules_of_a_product_are_set(house: Any) -> None:
    hire(house, ann="administrator")
    actor = sign_in(house, "ann")
    house.trace(1, product="Panel A")
    app = opened("admin")
    app.selectbox(key="rules-product-en").set_value("Panel A")
    app.run()
    assert EN.raw("rules.inherited") in text(app)
    for label in ("rules.two_person", "rules.asker"):
        next(c for c in app.checkbox if c.label == EN.raw(label)).check()
    app.number_input[1].set_value(3650)
    press(app, EN.raw("rules.save"))
    assert house.kenpin.reviews.rules(actor, "Panel A") == Rules(
        product="Panel A", two_person=True, asker_cannot_sign=True, keep_signed_days=3650)
    assert not house.kenpin.reviews.rules(actor, "Panel B").two_person


def test_the_own_password_is_changed_at_the_side(house: Any) -> None:
    hire(house, ann="administrator", kim="operator")
    sign_in(house, "kim")
    app = opened("queue")
    old, new = (next(f for f in app.text_input if f.label == EN.raw(key)) for key in ("person.old", "person.new"))
    old.set_value(WORDS)
    new.set_value("five other unrelated words")
    press(app, EN.raw("person.change"))
    assert any(EN.raw("person.changed") in s.value for s in app.success)
    assert house.people.sign_in("kim", "five other unrelated words")


def test_the_page_speaks_japanese(house: Any) -> None:
    hire(house, ann="administrator")
    sign_in(house, "ann")
    shown = text(opened("admin", lang="ja"))
    ja = texts_of("ja")
    assert ja.raw("page.admin") in shown
    assert ja.raw("role.administrator") in shown
    assert EN.raw("admin.lead") not in shown


def test_what_is_due_by_rule_is_shown_and_stays(house: Any) -> None:
    hire(house, ann="administrator")
    actor = sign_in(house, "ann")
    kept, due = house.trace(1, product="Panel A"), house.trace(60 * 24 * 3, product="Panel A")
    assert any(EN.raw("due.none") in i.value for i in opened("admin").info)
    house.kenpin.reviews.set_rules(actor, Rules(product="Panel A", keep_days=2))
    app = opened("admin")
    assert any("older than their rule: 1." in w.value for w in app.warning)
    shown = app.dataframe[0].value
    assert due in shown.to_string()
    assert kept not in shown.to_string()
    assert house.kenpin.traces.load(due)
