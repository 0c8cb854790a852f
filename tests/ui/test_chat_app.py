"""The chat page, headless: what is shown for each way that a turn can go, in both languages."""

import json
from collections.abc import Iterable

import pytest
from streamlit.testing.v1 import AppTest

from kenpin.contracts.trace import Trace

ESCAPED = ("<b>", "**md**", "](javascript", "$x$")


def texts(page: AppTest) -> str:
    """Everything that is written in Markdown, captions, plain text and alerts."""
    kinds: Iterable[str] = ("markdown", "caption", "text", "error", "warning", "title", "header")
    return "\n".join(str(element.value) for kind in kinds for element in page.get(kind))


def give(page: AppTest, data: bytes, name: str = "panel.png", field: str = "subject") -> AppTest:
    """Drop a file into an upload field."""
    upload = next(f for f in page.file_uploader if str(f.key).startswith(field))
    upload.set_value((name, data, "image/png"))
    return page.run()


def say(page: AppTest, text: str) -> AppTest:
    """Write into the line at the bottom."""
    page.chat_input[0].set_value(text)
    return page.run()


def started(page: AppTest, data: bytes, text: str) -> AppTest:
    """A page whose first turn has run."""
    page.run()
    assert not page.exception
    give(page, data)
    say(page, text)
    assert not page.exception
    return page


def keys(page: AppTest, kind: str = "button") -> list[str]:
    return [str(element.key) for element in page.get(kind)]


def stored(page: AppTest) -> Trace:
    """The trace that the page would hand over."""
    from ui.backend import installation, trace_of

    return trace_of(installation().traces.ids()[0])


def test_empty_page_offers_a_picture_and_names_the_planner(page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert "What should be inspected?" in texts(page)
    assert page.selectbox(key="planner-en").value == "embedded"
    assert [f.label for f in page.file_uploader] == ["Drop a picture here, paste it with Ctrl+V, or choose a file"]


def test_an_instruction_without_a_picture_is_kept(page: AppTest, panel: bytes) -> None:
    page.run()
    say(page, "Look for scratches.")
    assert "Look for scratches." in texts(page)
    assert "needs a picture" in texts(page)
    give(page, panel)
    page.button(key="send-kept").click().run()
    assert not page.exception
    assert "NG" in texts(page)


def test_an_ng_answer_shows_verdict_rule_findings_and_steps(page: AppTest, panel: bytes) -> None:
    started(page, panel, "Look for scratches.")
    shown = texts(page)
    assert ":red-badge[:material/cancel: NG]" in shown
    assert "`no-finding`" in shown
    assert "[\\[2\\]](#step-2)" in shown
    assert "Search for defects" in shown
    assert "Scratches were asked for" in shown
    assert "Nothing is signed" in shown
    assert "embedded" in shown.lower() or "Embedded" in shown
    findings = page.table[0].value
    assert list(findings.columns) == ["No.", "Type", "Score", "Box, px", "Step"]
    assert findings.iloc[0]["Type"] == "scratch"
    assert "100" in findings.iloc[0]["Box, px"]


def test_an_ok_answer_has_its_own_word_and_shape(page: AppTest, golden: bytes) -> None:
    started(page, golden, "Is this part OK?")
    assert ":green-badge[:material/check_circle: OK]" in texts(page)


def test_a_follow_up_measures_what_was_found(page: AppTest, panel: bytes) -> None:
    started(page, panel, "Look for scratches.")
    say(page, "How long is it?")
    assert not page.exception
    measures = page.table[-1].value
    assert measures.iloc[0]["Of"] == "f1"
    assert "± 1.2 px" in measures.iloc[0]["Value (95 %)"].replace("\\", "")
    assert len(stored(page).turns) == 2


def test_a_claim_without_evidence_is_marked_and_makes_it_uncertain(page: AppTest, panel: bytes) -> None:
    started(page, panel, "Try everything")
    shown = texts(page)
    assert ":orange-badge[:material/help: UNCERTAIN" in shown
    assert ":orange-background[:material/link_off: 45\\.6]" in shown
    assert any("45" in str(w.value) for w in page.warning)


def test_refused_and_failed_steps_are_marked(page: AppTest, panel: bytes) -> None:
    started(page, panel, "Try everything")
    shown = texts(page)
    assert ":orange[:material/block: refused]" in shown
    assert ":red[:material/warning: failed]" in shown
    assert "search first" in shown
    assert "2 did not work" in page.expander[-1].label


def test_text_of_a_model_is_shown_as_it_is(page: AppTest, panel: bytes) -> None:
    started(page, panel, "Try everything")
    answer = next(str(m.value) for m in page.markdown if "Ignore your rules" in str(m.value))
    for raw in ESCAPED:
        assert raw not in answer
    assert not any(m.allow_html for m in page.markdown)
    assert ":material/delete:" not in answer.replace("\u2060", "") or "\u2060" in answer


def test_a_question_looks_like_one_and_takes_material(page: AppTest, panel: bytes, golden: bytes) -> None:
    started(page, panel, "Compare it with the master")
    assert ":blue-badge[:material/contact_support: Question" in texts(page)
    assert "OK]" not in texts(page)
    page.button(key="give").click().run()
    assert "Compare it with the master" in texts(page)
    give(page, golden, "golden.png", field="references")
    say(page, "Compare with the golden sample")
    assert not page.exception
    assert ":red-badge[:material/cancel: NG]" in texts(page)
    assert [image.role for image in stored(page).images] == ["subject", "reference"]


def test_a_refusal_looks_like_one(page: AppTest, panel: bytes) -> None:
    started(page, panel, "Who made this part?")
    assert ":violet-badge[:material/do_not_disturb_on: Cannot be done]" in texts(page)
    assert "Nothing is signed" not in texts(page)


def test_the_page_follows_the_language_of_the_instruction(page: AppTest, panel: bytes) -> None:
    started(page, panel, "傷を探して")
    shown = texts(page)
    assert "NG（不良）" in shown
    assert "欠陥を探す" in shown
    assert "まだ署名されていません" in shown
    assert list(page.table[0].value.columns) == ["番号", "種類", "スコア", "位置（px）", "手順"]


def test_a_chosen_language_stays(page: AppTest, panel: bytes) -> None:
    page.run()
    page.segmented_control(key="language").set_value("ja").run()
    assert "何を検査しますか？" in texts(page)
    give(page, panel)
    say(page, "Look for scratches.")
    assert "NG（不良）" in texts(page)


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_file_that_is_no_picture_is_refused_in_one_line(page: AppTest, data: bytes) -> None:
    page.run()
    give(page, data, "傷 写真 *bold*.png")
    assert not page.exception
    assert len(page.error) == 1
    assert "\n" not in page.error[0].value
    assert "傷 写真" in page.error[0].value
    assert "*bold*" not in page.error[0].value.replace("\\*", "")


def test_bad_criteria_are_refused_and_good_ones_named(page: AppTest, panel: bytes) -> None:
    page.run()
    give(page, panel)
    give(page, b"limits: 3", "limits.yaml", field="criteria")
    assert len(page.error) == 1
    assert "/tmp" not in page.error[0].value
    good = b"product: panel\nrevision: 3\nlimits:\n  - {defect: scratch, quantity: length, max: 25, unit: mm}\n"
    give(page, good, "limits.yaml", field="criteria")
    assert not page.error
    assert "scratch.length<=25mm" in texts(page)


def test_an_unreachable_planner_is_one_line_and_the_instruction_stays(page: AppTest, panel: bytes) -> None:
    page.run()
    page.selectbox(key="planner-en").set_value("vllm").run()
    give(page, panel)
    say(page, "Look for scratches.")
    assert not page.exception
    assert "no server answers" in page.error[0].value.replace("\\", "")
    assert "Look for scratches." in texts(page)
    page.selectbox(key="planner-en").set_value("embedded").run()
    page.button(key="send-kept").click().run()
    assert "NG" in texts(page)


def test_an_error_in_a_turn_offers_another_try(page: AppTest, panel: bytes) -> None:
    started(page, panel, "Look for scratches.")
    say(page, "Nobody knows this")
    assert not page.exception
    assert "no server answers" in page.error[0].value
    assert "retry" in keys(page)
    assert len(stored(page).turns) == 1


def test_an_interrupted_turn_is_offered_to_be_resumed(page: AppTest, panel: bytes) -> None:
    from ui.backend import inspector

    started(page, panel, "Look for scratches.")
    trace = stored(page)
    events = inspector("embedded").say(trace.id, "Take your time")
    for _ in range(3):
        next(events)
    events.close()
    page.button(key="new").click().run()
    page.button(key=f"open-{trace.id}").click().run()
    assert "interrupted" in page.warning[0].value
    page.button(key="resume").click().run()
    assert not page.exception
    assert stored(page).turns[-1].answer is not None
    assert "resume" not in keys(page)


def test_recent_inspections_can_be_opened_again(page: AppTest, panel: bytes) -> None:
    started(page, panel, "Look for scratches.")
    trace = stored(page)
    page.button(key="new").click().run()
    assert "What should be inspected?" in texts(page)
    entry = page.button(key=f"open-{trace.id}")
    assert "Look for scratches" in entry.label
    assert entry.icon == ":material/cancel:"
    entry.click().run()
    assert ":red-badge[:material/cancel: NG]" in texts(page)


def test_a_bug_is_told_in_words_and_does_not_repeat_itself(page: AppTest, panel: bytes,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    from ui.screens import conversation

    def broken(*args: object, **kwargs: object) -> None:
        raise KeyError("a secret path")

    page.run()
    give(page, panel)
    with monkeypatch.context() as patch:
        patch.setattr(conversation, "run_turn", broken)
        say(page, "Look for scratches.")
    assert not page.exception
    assert "server’s log" in page.error[0].value
    assert "secret" not in texts(page)
    page.run()
    assert not page.error


def test_the_next_part_keeps_the_material(page: AppTest, panel: bytes, golden: bytes) -> None:
    page.run()
    give(page, panel)
    give(page, golden, "golden.png", field="references")
    page.number_input[0].set_value(0.25).run()
    say(page, "Look for scratches.")
    page.button(key="next").click().run()
    assert "0.25 mm/px" in texts(page).replace("\\", "")
    give(page, panel)
    say(page, "Look for scratches.")
    trace = stored(page)
    assert [image.role for image in trace.images] == ["subject", "reference"]
    assert trace.images[0].mm_per_px == 0.25


def test_the_trace_can_be_taken_along(page: AppTest, panel: bytes) -> None:
    started(page, panel, "Look for scratches.")
    assert [button.label for button in page.get("download_button")] == ["Report", "Trace (JSON)"]
    assert json.loads(stored(page).model_dump_json())["version"] == 1


def test_a_removed_sample_picture_leaves_the_material(page: AppTest, panel: bytes, golden: bytes) -> None:
    page.run()
    give(page, panel)
    give(page, golden, "golden.png", field="references")
    upload = next(f for f in page.file_uploader if str(f.key).startswith("references"))
    upload.set_value([])
    page.run()
    say(page, "Compare with the golden sample")
    assert [image.role for image in stored(page).images] == ["subject"]


def test_a_turn_that_a_click_cut_off_goes_on_by_itself(page: AppTest, panel: bytes) -> None:
    from ui.backend import inspector

    started(page, panel, "Look for scratches.")
    events = inspector("embedded").say(stored(page).id, "Take your time")
    for _ in range(3):
        next(events)
    events.close()
    page.session_state["kenpin"].running = True
    page.run()
    assert not page.exception
    assert stored(page).turns[-1].answer is not None
    assert len(stored(page).turns) == 2


def test_a_reload_comes_back_to_the_open_inspection(page: AppTest, panel: bytes) -> None:
    from ui.state import Session

    started(page, panel, "Look for scratches.")
    assert page.query_params["inspection"] == stored(page).id
    page.session_state["kenpin"] = Session()
    page.run()
    assert ":red-badge[:material/cancel: NG]" in texts(page)


@pytest.mark.parametrize("asked", ["20200101T000000-00000000", "../../etc/passwd", "<b>"])
def test_an_unknown_inspection_in_the_address_is_one_line(page: AppTest, asked: str) -> None:
    page.query_params["inspection"] = asked
    page.run()
    assert not page.exception
    assert len(page.error) == 1
    assert "What should be inspected?" in texts(page)
    assert "inspection" not in page.query_params


def test_a_picture_sent_with_the_text_starts_at_once(page: AppTest, panel: bytes) -> None:
    page.run()
    page.chat_input[0].set_value("Look for scratches.").upload("panel.png", panel, "image/png")
    page.run()
    assert not page.exception
    assert ":red-badge[:material/cancel: NG]" in texts(page)


def test_the_next_picture_dropped_into_a_conversation_is_the_next_part(page: AppTest, panel: bytes,
                                                                      golden: bytes) -> None:
    page.run()
    give(page, panel)
    give(page, golden, "golden.png", field="references")
    say(page, "Look for scratches.")
    first = stored(page)
    page.chat_input[0].set_value("Is this part OK?").upload("next.png", golden, "image/png")
    page.run()
    assert not page.exception
    assert ":green-badge[:material/check_circle: OK]" in texts(page)
    second = stored(page)
    assert second.id != first.id
    assert [image.role for image in second.images] == ["subject", "reference"]


def test_a_bad_picture_in_a_conversation_keeps_the_text(page: AppTest, panel: bytes) -> None:
    started(page, panel, "Look for scratches.")
    page.chat_input[0].set_value("Is this part OK?").upload("next.png", panel[:100], "image/png")
    page.run()
    assert not page.exception
    assert "next" in page.error[0].value
    assert "retry" in keys(page)
    assert len(stored(page).turns) == 1
