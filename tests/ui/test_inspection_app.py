"""The page of one inspection, headless: every act of a review, and what the page shows of it."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from kenpin.contracts.people import Actor
from kenpin.contracts.review import Severity, State
from kenpin.contracts.verdict import Verdict

HERE = Path(__file__).parent
chat = SimpleNamespace(**run_path(str(HERE / "driver.py")))
review = SimpleNamespace(**run_path(str(HERE / "reviewing.py")))
room, staffed = review.room, review.staffed


@pytest.fixture
def one(room, panel: bytes) -> str:  # type: ignore[no-untyped-def]
    return str(review.asked(room.kenpin, panel, ("Look for scratches.", "How long is it?")))


def drawn(monkeypatch: pytest.MonkeyPatch, box: tuple[int, int, int, int] | None) -> None:
    """What a person has drawn: the component itself runs in a browser only."""
    from ui.parts import reviewed

    monkeypatch.setattr(reviewed, "drawn", lambda key, *, token, size, start: box)


def finding(room, one: str, name: str = "f1"):  # type: ignore[no-untyped-def]
    return next(f for f in room.seen(one).decision.findings if f.id == name)


def test_the_page_shows_what_the_answer_rests_on(room, one: str) -> None:  # type: ignore[no-untyped-def]
    shown = chat.texts(room.page(one, "mori"))
    for words in ("waiting for review", "Panel A · lot L\\-7 · part P\\-12", "asked by tanaka", "UNCERTAIN",
                  "scratch.length<=25mm", "Search for defects", "[\\[2\\]](#step-2)", "Nobody has signed",
                  "Findings (1), 1 undecided", "The length of the scratch was asked for", "How long is it?"):
        assert words in shown
    record = room.opened.table[-1].value
    assert list(record["Value"][:2]) == ["tanaka", "embedded · scripted for tests"]
    assert "panel\\.yaml · Panel A · C" in list(record["Value"])


def test_one_click_accepts_with_the_severity_chosen_beside_it(room, one: str) -> None:  # type: ignore[no-untyped-def]
    page = room.page(one, "mori")
    room.field(page, "severity-f1", "button_group").set_value("major")
    room.field(page, "why-f1", "text_input").set_value("as the limit sample")
    page.button(key="accept-f1").click().run()
    assert not page.error
    assert (finding(room, one).decision, finding(room, one).severity) == ("accepted", Severity.MAJOR)
    assert finding(room, one).why == "as the limit sample"
    assert room.field(page, "why-f1", "text_input").value == ""
    assert "accepted" in chat.texts(page)


def test_a_false_alarm_counts_no_more(room, one: str) -> None:  # type: ignore[no-untyped-def]
    page = room.page(one, "mori")
    page.button(key="refute-f1").click().run()
    assert not finding(room, one).real
    assert "0 defect(s)" in chat.texts(page)
    page.button(key="accept-f1").click().run()
    assert finding(room, one).real


def test_a_finding_is_corrected_with_a_box_drawn_anew(room, one: str, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    page = room.page(one, "mori")
    drawn(monkeypatch, (90, 70, 170, 95))
    page.button(key="correct-f1").click().run()
    assert "Correct f1" in chat.texts(page)
    assert "accept-f1" not in chat.keys(page)
    room.field(page, "edit-type-1", "selectbox").set_value("crack")
    page.button(key="edit-save").click().run()
    assert not page.error
    assert (finding(room, one).type, finding(room, one).box) == ("crack", (90, 70, 170, 95))
    assert finding(room, one).proposed.box == (100, 80, 160, 90)
    shown = chat.texts(page)
    assert "scratch → crack · \\[100, 80, 160, 90\\] → \\[90, 70, 170, 95\\]" in shown
    assert "was scratch" in shown


def test_a_missed_defect_is_drawn_and_added(room, one: str, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    page = room.page(one, "mori")
    page.button(key="add-missed").click().run()
    page.button(key="edit-save").click().run()
    assert "there is no box yet" in page.error[0].value
    drawn(monkeypatch, (10, 20, 40, 60))
    page.button(key="edit-save").click().run()
    assert "a defect needs a type" in page.error[0].value
    room.field(page, "edit-type-1", "selectbox").set_value("dent")
    page.button(key="edit-save").click().run()
    assert not page.error
    assert (finding(room, one, "m1").type, finding(room, one, "m1").box) == ("dent", (10, 20, 40, 60))


def test_what_is_being_drawn_can_be_given_up(room, one: str) -> None:  # type: ignore[no-untyped-def]
    page = room.page(one, "mori")
    page.button(key="correct-f1").click().run()
    page.button(key="edit-leave").click().run()
    assert "accept-f1" in chat.keys(page)
    assert room.seen(one).head == 0


def test_the_verdict_is_changed_with_a_reason_only(room, one: str) -> None:  # type: ignore[no-untyped-def]
    page = room.page(one, "mori")
    room.field(page, "verdict", "button_group").set_value("ng")
    page.button(key="verdict-save").click().run()
    assert "needs a reason" in page.error[0].value
    room.field(page, "verdict-why", "text_area").set_value("longer than the limit")
    room.field(page, "verdict-cause", "text_input").set_value("worn die")
    room.field(page, "verdict-disposition", "text_input").set_value("scrap")
    page.button(key="verdict-save").click().run()
    assert not page.error
    decision = room.seen(one).decision
    assert (decision.verdict, decision.cause, decision.disposition) == (Verdict.NG, "worn die", "scrap")
    shown = chat.texts(page)
    assert "mori: longer than the limit" in shown
    assert "UNCERTAIN \\– to be checked → **NG**" in shown or "→ **NG**" in shown
    assert room.field(page, "verdict-why", "text_area").value == ""


def test_everything_left_is_accepted_at_once(room, panel: bytes) -> None:  # type: ignore[no-untyped-def]
    made = review.asked(room.kenpin, panel, ("Look for scratches.", "Look for scratches."))
    assert len(room.seen(made).decision.findings) == 2
    page = room.page(made, "mori")
    page.button(key="accept-rest").click().run()
    assert {f.decision for f in room.seen(made).decision.findings} == {"accepted"}
    assert room.seen(made).head == 2


def signed(room, one: str, page: AppTest, meaning: str = "approved", password: str | None = None) -> AppTest:  # type: ignore[no-untyped-def]
    room.field(page, "meaning", "button_group").set_value(meaning)
    room.field(page, "sign-password", "text_input").set_value(password or review.PASSWORD)
    page.button(key="sign").click().run()
    return page


def test_signing_takes_the_password_and_locks_the_record(room, one: str) -> None:  # type: ignore[no-untyped-def]
    room.rule(one, Verdict.NG)
    page = room.page(one, "mori")
    content = room.seen(one).content_sha256
    assert f"`{content[:16]}…`" in chat.texts(page)
    signed(room, one, page, password="wrong password 1")
    assert len(page.error) == 1
    assert room.seen(one).state is State.WAITING
    assert room.field(page, "sign-password", "text_input").value == ""
    signed(room, one, page)
    assert not page.error
    assert room.seen(one).state is State.SIGNED
    assert room.seen(one).signatures[0].signature.content_sha256 == content
    left = set(chat.keys(page)) | set(chat.keys(page, "text_area"))
    assert not {"accept-f1", "correct-f1", "add-missed", "verdict-save", "comment-save", "sign"} & left
    assert page.chat_input[0].disabled
    assert "Mori (mori)" in chat.texts(page).replace("\\", "")


def test_who_signs_in_at_a_provider_signs_by_a_fresh_sign_in(room, one: str) -> None:  # type: ignore[no-untyped-def]
    room.rule(one, Verdict.NG)
    room.elsewhere("oda")
    page = room.page(one, "oda")
    assert [f.key for f in page.text_input if str(f.key).startswith("sign-password")] == []
    room.field(page, "meaning", "button_group").set_value("reviewed")
    page.button(key="sign").click().run()
    assert not page.error
    assert room.seen(one).signatures[0].signature.method == "oidc"


def test_an_uncertain_verdict_is_not_approved(room, one: str) -> None:  # type: ignore[no-untyped-def]
    page = signed(room, one, room.page(one, "mori"))
    assert "uncertain verdict cannot be signed" in page.error[0].value
    signed(room, one, page, "rejected")
    assert room.seen(one).state is State.REJECTED


def test_a_signature_is_revoked_and_a_record_amended(room, one: str) -> None:  # type: ignore[no-untyped-def]
    room.rule(one, Verdict.NG)
    page = signed(room, one, room.page(one, "mori"))
    room.field(page, "revoke-why", "text_area").set_value("wrong part")
    room.field(page, "revoke-password", "text_input").set_value(review.PASSWORD)
    page.button(key="revoke").click().run()
    assert not page.error
    assert room.seen(one).state is State.WAITING
    assert "signature of entry 2 revoked** — wrong part" in chat.texts(page).replace("revoked —", "revoked** —")
    signed(room, one, page)
    room.field(page, "amend-why", "text_area").set_value("a second picture came")
    page.button(key="amend").click().run()
    assert room.seen(one).state is State.AMENDING
    assert "being amended" in chat.texts(page)
    assert "accept-f1" in chat.keys(page)


def test_two_people_sign_where_the_product_asks_for_it(room, panel: bytes) -> None:  # type: ignore[no-untyped-def]
    review.rules(room.kenpin, room.staff["kato"], "Pair", two_person=True)
    one = review.asked(room.kenpin, panel, product="Pair")
    room.rule(one, Verdict.NG)
    page = signed(room, one, room.page(one, "mori"))
    assert "one of two signed" in chat.texts(page)
    assert "you have signed already" in chat.texts(page).replace("\\", "")
    assert "sign" not in chat.keys(page)
    signed(room, one, room.page(one, "sato"))
    assert room.seen(one).state is State.SIGNED


def test_who_asked_is_told_why_not_to_sign(room, panel: bytes) -> None:  # type: ignore[no-untyped-def]
    review.rules(room.kenpin, room.staff["kato"], "Other", asker_cannot_sign=True)
    made = review.asked(room.kenpin, panel, by="mori", product="Other")
    page = room.page(made, "mori")
    assert "who asked cannot sign here" in chat.texts(page)
    assert "sign" not in chat.keys(page)


def test_a_follow_up_joins_the_same_inspection(room, one: str) -> None:  # type: ignore[no-untyped-def]
    page = room.page(one, "mori")
    page.chat_input[0].set_value("Zoom in on the top left").run()
    assert not page.exception
    assert not page.error
    trace = room.seen(one).trace
    assert [turn.say for turn in trace.turns][-1] == "Zoom in on the top left"
    assert trace.turns[-1].by == "mori"
    page.chat_input[0].set_value("Nobody knows this").run()
    assert "no server answers" in page.error[0].value
    assert "retry" in chat.keys(page)


def test_the_history_tells_who_when_and_what(room, one: str) -> None:  # type: ignore[no-untyped-def]
    page = room.page(one, "mori")
    room.field(page, "comment", "text_area").set_value("Die number 4")
    page.button(key="comment-save").click().run()
    entry = room.seen(one).entries[0]
    shown = chat.texts(page)
    assert "Die number 4" in shown
    assert f"mori · {entry.at.astimezone():%Y}" in shown
    assert "History (1)" in [e.label for e in page.expander]


def test_a_japanese_reader_gets_japanese(room, one: str) -> None:  # type: ignore[no-untyped-def]
    page = room.page(one, "mori", lang="ja")
    shown = chat.texts(page)
    for words in ("レビュー待ち", "検出（1）、未決 1 件", "署名はまだありません", "依頼者 tanaka"):
        assert words in shown.replace("\\", "")


def test_the_actor_of_a_desk_is_who_saw_the_page(room, one: str) -> None:  # type: ignore[no-untyped-def]
    page = room.page(one, "mori")
    page.button(key="accept-f1").click().run()
    desk_actor: Actor = page.session_state["kenpin-desk"].actor
    assert desk_actor == room.staff["mori"]
    assert [entry.by for entry in room.seen(one).entries] == ["mori"]
