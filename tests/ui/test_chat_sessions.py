"""The chat page, headless: what goes wrong or is cut off, and from one inspection to the next. Nothing is lost."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

chat = SimpleNamespace(**run_path(str(Path(__file__).with_name("driver.py"))))


def test_an_unreachable_planner_is_one_line_and_the_instruction_stays(page: AppTest, panel: bytes) -> None:
    page.run()
    page.selectbox(key="planner-en").set_value("vllm").run()
    chat.give(page, panel)
    chat.say(page, "Look for scratches.")
    assert not page.exception
    assert "no server answers" in page.error[0].value.replace("\\", "")
    assert "Look for scratches." in chat.texts(page)
    page.selectbox(key="planner-en").set_value("embedded").run()
    page.button(key="send-kept").click().run()
    assert "NG" in chat.texts(page)


def test_an_error_in_a_turn_offers_another_try(page: AppTest, panel: bytes) -> None:
    chat.started(page, panel, "Look for scratches.")
    chat.say(page, "Nobody knows this")
    assert not page.exception
    assert "no server answers" in page.error[0].value
    assert "retry" in chat.keys(page)
    assert "resume" not in chat.keys(page)
    assert [turn.say for turn in chat.stored(page).turns if turn.answer] == ["Look for scratches."]


def test_an_interrupted_turn_is_offered_to_be_resumed(page: AppTest, panel: bytes) -> None:
    from ui.backend import installation

    chat.started(page, panel, "Look for scratches.")
    trace = chat.stored(page)
    events = installation().inspector("embedded").say(trace.id, "Take your time")
    for _ in range(3):
        next(events)
    events.close()
    page.button(key="new").click().run()
    page.button(key=f"open-{trace.id}").click().run()
    assert "interrupted" in page.warning[0].value
    page.button(key="resume").click().run()
    assert not page.exception
    assert chat.stored(page).turns[-1].answer is not None
    assert "resume" not in chat.keys(page)


def test_recent_inspections_can_be_opened_again(page: AppTest, panel: bytes) -> None:
    chat.started(page, panel, "Look for scratches.")
    trace = chat.stored(page)
    page.button(key="new").click().run()
    assert "What should be inspected?" in chat.texts(page)
    entry = page.button(key=f"open-{trace.id}")
    assert "Look for scratches" in entry.label
    assert entry.icon == ":material/cancel:"
    entry.click().run()
    assert ":red-badge[:material/cancel: NG]" in chat.texts(page)


def test_a_bug_is_told_in_words_and_does_not_repeat_itself(page: AppTest, panel: bytes,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    from ui.screens import conversation

    def broken(*args: object, **kwargs: object) -> None:
        raise KeyError("a secret path")

    page.run()
    chat.give(page, panel)
    with monkeypatch.context() as patch:
        patch.setattr(conversation, "run_turn", broken)
        chat.say(page, "Look for scratches.")
    assert not page.exception
    assert "server’s log" in page.error[0].value
    assert "secret" not in chat.texts(page)
    page.run()
    assert not page.error


def test_the_next_part_keeps_the_material(page: AppTest, panel: bytes, golden: bytes) -> None:
    page.run()
    chat.give(page, panel)
    chat.give(page, golden, "golden.png", field="references")
    page.number_input[0].set_value(0.25).run()
    chat.say(page, "Look for scratches.")
    page.button(key="next").click().run()
    assert "0.25 mm/px" in chat.texts(page).replace("\\", "")
    chat.give(page, panel)
    chat.say(page, "Look for scratches.")
    trace = chat.stored(page)
    assert [image.role for image in trace.images] == ["subject", "reference"]
    assert trace.images[0].mm_per_px == 0.25


def test_a_turn_that_a_click_cut_off_goes_on_by_itself(page: AppTest, panel: bytes) -> None:
    from ui.backend import installation

    chat.started(page, panel, "Look for scratches.")
    events = installation().inspector("embedded").say(chat.stored(page).id, "Take your time")
    for _ in range(3):
        next(events)
    events.close()
    page.session_state["kenpin"].running = True
    page.run()
    assert not page.exception
    assert chat.stored(page).turns[-1].answer is not None
    assert len(chat.stored(page).turns) == 2


def test_a_reload_comes_back_to_the_open_inspection(page: AppTest, panel: bytes) -> None:
    from ui.state import Session

    chat.started(page, panel, "Look for scratches.")
    assert page.query_params["inspection"] == chat.stored(page).id
    page.session_state["kenpin"] = Session()
    page.run()
    assert ":red-badge[:material/cancel: NG]" in chat.texts(page)


@pytest.mark.parametrize("asked", ["20200101T000000-00000000", "../../etc/passwd", "<b>"])
def test_an_unknown_inspection_in_the_address_is_one_line(page: AppTest, asked: str) -> None:
    page.query_params["inspection"] = asked
    page.run()
    assert not page.exception
    assert len(page.error) == 1
    assert "What should be inspected?" in chat.texts(page)
    assert "inspection" not in page.query_params


def test_the_next_picture_dropped_into_a_conversation_is_the_next_part(page: AppTest, panel: bytes,
                                                                      golden: bytes) -> None:
    page.run()
    chat.give(page, panel)
    chat.give(page, golden, "golden.png", field="references")
    chat.say(page, "Look for scratches.")
    first = chat.stored(page)
    page.chat_input[0].set_value("Is this part OK?").upload("next.png", golden, "image/png")
    page.run()
    assert not page.exception
    assert ":green-badge[:material/check_circle: OK]" in chat.texts(page)
    second = chat.stored(page)
    assert second.id != first.id
    assert [image.role for image in second.images] == ["subject", "reference"]


def test_a_bad_picture_in_a_conversation_keeps_the_text(page: AppTest, panel: bytes) -> None:
    chat.started(page, panel, "Look for scratches.")
    page.chat_input[0].set_value("Is this part OK?").upload("next.png", panel[:100], "image/png")
    page.run()
    assert not page.exception
    assert "next" in page.error[0].value
    assert "retry" in chat.keys(page)
    assert len(chat.stored(page).turns) == 1
