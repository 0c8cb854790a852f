"""The page of one inspection, headless: what a person may not see or do, what others wrote meanwhile, what is no markup."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

from kenpin.contracts.errors import BadInput, Locked, NotAllowed
from kenpin.contracts.people import Proof
from kenpin.contracts.review import Meaning, Severity, State
from kenpin.contracts.verdict import Verdict

HERE = Path(__file__).parent
chat = SimpleNamespace(**run_path(str(HERE / "driver.py")))
review = SimpleNamespace(**run_path(str(HERE / "reviewing.py")))
room, staffed = review.room, review.staffed
PROPOSAL = ("There is one scratch", "0.93", "[100,80,160,90]", "[100, 80, 160, 90]", "Search for defects", "accept-f1",
            "answer-uncertain", "Nothing was measured", "Signatures", "f1 0.93", "Content `")
"""What would give the proposal away, as it stands on the open page."""


@pytest.fixture
def one(room, panel: bytes) -> str:  # type: ignore[no-untyped-def]
    return str(review.asked(room.kenpin, panel))


def test_blind_review_shows_nothing_of_the_proposal_until_the_own_judgement_is_in(room, panel: bytes) -> None:  # type: ignore[no-untyped-def]
    one = review.asked(room.kenpin, panel, product="Blind")
    told = review.everything(room.page(one, "mori"))
    evidence = [s for turn in room.seen(one).trace.turns for step in turn.steps for s in step.evidence]
    giving_away = [words for words in PROPOSAL if words in told]
    assert len(giving_away) > len(PROPOSAL) - 3, giving_away
    review.rules(room.kenpin, room.staff["kato"], "Blind", blind=True)
    room.kenpin.reviews.judge(room.staff["sato"], one, head=0, verdict=Verdict.NG, why="Sato says so")
    page = room.page(one, "mori")
    hidden = review.everything(page)
    assert [words for words in (*giving_away, "Sato says so", "sato", *evidence) if words in hidden] == []
    assert "Look for scratches." in hidden
    assert not {"sign", "accept-f1", "add-missed"} & set(chat.keys(page))
    assert not page.chat_input
    room.field(page, "judge-why", "text_area").set_value("seen it")
    page.button(key="judge-save").click().run()
    assert "no verdict is chosen" in page.error[0].value
    assert room.field(page, "judge-why", "text_area").value == "seen it"
    room.field(page, "judge", "button_group").set_value("ok")
    page.button(key="judge-save").click().run()
    assert not page.error
    assert "There is one scratch" in chat.texts(page)
    assert "not the same" in chat.texts(page)
    assert room.seen(one).entries[1].act.blind


def acts(reviews, actor, one: str, head: int):  # type: ignore[no-untyped-def]
    """Every act of a review, as calls of the service."""
    where = {"head": head}
    proof = Proof(method="password", secret=review.PASSWORD)
    return (
        lambda: reviews.judge(actor, one, verdict=Verdict.OK, **where),
        lambda: reviews.accept(actor, one, "f1", severity=Severity.MINOR, **where),
        lambda: reviews.correct(actor, one, "f1", type="dent", **where),
        lambda: reviews.false_alarm(actor, one, "f1", **where),
        lambda: reviews.add_missed(actor, one, type="dent", box=(1, 1, 9, 9), **where),
        lambda: reviews.change_verdict(actor, one, verdict=Verdict.OK, why="x", **where),
        lambda: reviews.comment(actor, one, text="x", **where),
        lambda: reviews.sign(actor, one, meaning=Meaning.REJECTED, proof=proof, content_sha256="0" * 64, **where),
        lambda: reviews.amend(actor, one, why="x", **where),
        lambda: reviews.revoke(actor, one, 1, why="x", proof=proof, **where),
    )


@pytest.mark.parametrize("who", ["tanaka", "abe", "kato"])
def test_who_does_not_review_sees_no_button_for_it_and_the_service_refuses(room, one: str, who: str) -> None:  # type: ignore[no-untyped-def]
    page = room.page(one, who)
    assert "There is one scratch" in chat.texts(page)
    names = ("accept", "correct", "refute", "add-", "verdict", "comment", "sign", "revoke", "amend", "judge", "edit")
    assert [key for key in chat.keys(page) if key.startswith(names)] == []
    assert not page.text_area
    assert bool(page.chat_input) == (who != "abe")
    for act in acts(room.kenpin.reviews, room.staff[who], one, 0):
        with pytest.raises(NotAllowed):
            act()
    assert room.seen(one).head == 0


def test_a_signed_record_refuses_what_the_page_no_longer_offers(room, one: str) -> None:  # type: ignore[no-untyped-def]
    room.rule(one, Verdict.NG)
    room.sign(one, "mori")
    for act in acts(room.kenpin.reviews, room.staff["mori"], one, 2)[:8]:
        with pytest.raises((Locked, BadInput)):
            act()
    assert room.seen(one).head == 2


def test_what_another_wrote_meanwhile_is_one_line_and_nothing_typed_is_lost(room, one: str) -> None:  # type: ignore[no-untyped-def]
    page = room.page(one, "mori")
    room.kenpin.reviews.comment(room.staff["sato"], one, head=0, text="I was first")
    room.field(page, "comment", "text_area").set_value("My long remark")
    page.button(key="comment-save").click().run()
    assert len(page.error) == 1
    assert "sato has written" in page.error[0].value
    assert "I was first" in chat.texts(page)
    assert room.field(page, "comment", "text_area").value == "My long remark"
    page.button(key="comment-save").click().run()
    assert not page.error
    assert [entry.act.text for entry in room.seen(one).entries] == ["I was first", "My long remark"]


def test_what_was_typed_into_a_record_that_was_signed_meanwhile_stays_to_be_read(room, one: str) -> None:  # type: ignore[no-untyped-def]
    page = room.page(one, "mori")
    room.rule(one, Verdict.NG, who="sato")
    room.sign(one, "sato")
    room.field(page, "comment", "text_area").set_value("My **long** remark")
    page.button(key="comment-save").click().run()
    assert len(page.error) == 1
    assert "My **long** remark" in [t.value for t in page.text]
    assert "Not on record" in chat.texts(page)
    assert room.seen(one).state is State.SIGNED


def test_nobody_signs_what_has_changed_since_it_was_seen(room, one: str) -> None:  # type: ignore[no-untyped-def]
    room.rule(one, Verdict.NG)
    page = room.page(one, "mori")
    room.kenpin.reviews.false_alarm(room.staff["sato"], one, "f1", head=1)
    room.field(page, "meaning", "button_group").set_value("approved")
    room.field(page, "sign-password", "text_input").set_value(review.PASSWORD)
    page.button(key="sign").click().run()
    assert "sato has written" in page.error[0].value
    assert room.seen(one).state is State.WAITING


def test_a_session_that_has_ended_shows_and_writes_nothing(room, one: str) -> None:  # type: ignore[no-untyped-def]
    page = room.page(one, "ueda")
    room.kenpin.people.sign_out(room.staff["ueda"].session)
    page.button(key="accept-f1").click().run()
    assert not page.exception
    assert "accept-f1" not in chat.keys(page)
    assert "There is one scratch" not in chat.texts(page)
    assert room.seen(one, "sato").head == 0


@pytest.mark.parametrize("asked", ["20200101T000000-00000000", "../../etc/passwd", "<b>x</b>", "' OR 1=1 --", "x" * 5000])
def test_an_unknown_inspection_in_the_address_is_one_line(room, asked: str) -> None:  # type: ignore[no-untyped-def]
    page = room.page(asked, "mori")
    assert len(page.error) == 1
    assert "<b>" not in page.error[0].value


def test_no_inspection_is_a_hint(room) -> None:  # type: ignore[no-untyped-def]
    assert "review queue" in room.page("", "mori").info[0].value


def test_what_a_person_typed_is_no_markup(room, one: str, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    reviews, mori, evil = room.kenpin.reviews, room.staff["mori"], review.EVIL
    reviews.correct(mori, one, "f1", head=0, type=evil[:80], why=evil)
    reviews.add_missed(mori, one, head=1, type=evil[:80], box=(10, 10, 30, 30), why=evil)
    reviews.change_verdict(mori, one, head=2, verdict=Verdict.NG, why=evil, cause=evil, disposition=evil)
    reviews.comment(mori, one, head=3, text=evil)
    page = room.page(one, "mori")
    assert not page.error
    for kind in ("markdown", "caption", "error", "warning", "expander", "button", "tabs"):
        for element in page.get(kind):
            written = str(getattr(element, "value", None) or getattr(element, "label", ""))
            for raw in ("<script>", "**md**", "](javascript", " $x", ":material/delete:"):
                assert raw not in written, (kind, written)
    shown = chat.texts(page)
    assert shown.count("\\<script\\>") >= 8
    page.button(key="correct-f1").click().run()
    assert not page.exception
    assert evil[:80] in room.field(page, "edit-type-1", "selectbox").options


def test_a_picture_file_that_was_swapped_is_told_and_nothing_is_signed(room, golden: bytes) -> None:  # type: ignore[no-untyped-def]
    one = review.asked(room.kenpin, golden, ("Is this part OK?",), product="Swapped")
    room.rule(one, Verdict.OK)
    sha256 = room.seen(one).trace.images[0].sha256
    file = next(f for f in (room.kenpin.home / "pictures").rglob("*") if f.is_file() and sha256 in f.name)
    kept = file.read_bytes()
    file.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    try:
        page = room.page(one, "mori")
        assert len(page.error) == 1
        assert "Nothing stands out" in chat.texts(page)
        room.field(page, "meaning", "button_group").set_value("approved")
        room.field(page, "sign-password", "text_input").set_value(review.PASSWORD)
        page.button(key="sign").click().run()
        assert room.seen(one).state is State.WAITING
        assert len(page.error) == 2
    finally:
        file.write_bytes(kept)
