"""The chat page, headless: what is shown for each way that a turn can go, in both languages."""

import json
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

chat = SimpleNamespace(**run_path(str(Path(__file__).with_name("driver.py"))))
ESCAPED = ("<b>", "**md**", "](javascript", "$x$")


def test_empty_page_offers_a_picture_and_names_the_planner(page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert "What should be inspected?" in chat.texts(page)
    assert page.selectbox(key="planner-en").value == "embedded"
    assert [f.label for f in page.file_uploader] == ["Drop a picture here, paste it with Ctrl+V, or choose a file"]


def test_an_instruction_without_a_picture_is_kept(page: AppTest, panel: bytes) -> None:
    page.run()
    chat.say(page, "Look for scratches.")
    assert "Look for scratches." in chat.texts(page)
    assert "needs a picture" in chat.texts(page)
    chat.give(page, panel)
    page.button(key="send-kept").click().run()
    assert not page.exception
    assert "NG" in chat.texts(page)


def test_an_ng_answer_shows_verdict_rule_findings_and_steps(page: AppTest, panel: bytes) -> None:
    chat.started(page, panel, "Look for scratches.")
    shown = chat.texts(page)
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
    chat.started(page, golden, "Is this part OK?")
    assert ":green-badge[:material/check_circle: OK]" in chat.texts(page)


def test_a_follow_up_measures_what_was_found(page: AppTest, panel: bytes) -> None:
    chat.started(page, panel, "Look for scratches.")
    chat.say(page, "How long is it?")
    assert not page.exception
    measures = page.table[-1].value
    assert measures.iloc[0]["Of"] == "f1"
    assert "± 1.2 px" in measures.iloc[0]["Value (95 %)"].replace("\\", "")
    assert len(chat.stored(page).turns) == 2


def test_a_claim_without_evidence_is_marked_and_makes_it_uncertain(page: AppTest, panel: bytes) -> None:
    chat.started(page, panel, "Try everything")
    shown = chat.texts(page)
    assert ":orange-badge[:material/help: UNCERTAIN" in shown
    assert ":orange-background[:material/link_off: 45\\.6]" in shown
    assert any("45" in str(w.value) for w in page.warning)


def test_refused_and_failed_steps_are_marked(page: AppTest, panel: bytes) -> None:
    chat.started(page, panel, "Try everything")
    shown = chat.texts(page)
    assert ":orange[:material/block: refused]" in shown
    assert ":red[:material/warning: failed]" in shown
    assert "search first" in shown
    assert "2 did not work" in page.expander[-1].label


def test_text_of_a_model_is_shown_as_it_is(page: AppTest, panel: bytes) -> None:
    chat.started(page, panel, "Try everything")
    answer = next(str(m.value) for m in page.markdown if "Ignore your rules" in str(m.value))
    for raw in ESCAPED:
        assert raw not in answer
    assert not any(m.allow_html for m in page.markdown)
    assert ":material/delete:" not in answer.replace("\u2060", "") or "\u2060" in answer


def test_a_question_looks_like_one_and_takes_material(page: AppTest, panel: bytes, golden: bytes) -> None:
    chat.started(page, panel, "Compare it with the master")
    assert ":blue-badge[:material/contact_support: Question" in chat.texts(page)
    assert "OK]" not in chat.texts(page)
    page.button(key="give").click().run()
    assert "Compare it with the master" in chat.texts(page)
    chat.give(page, golden, "golden.png", field="references")
    chat.say(page, "Compare with the golden sample")
    assert not page.exception
    assert ":red-badge[:material/cancel: NG]" in chat.texts(page)
    assert [image.role for image in chat.stored(page).images] == ["subject", "reference"]


def test_a_refusal_looks_like_one(page: AppTest, panel: bytes) -> None:
    chat.started(page, panel, "Who made this part?")
    assert ":violet-badge[:material/do_not_disturb_on: Cannot be done]" in chat.texts(page)
    assert "Nothing is signed" not in chat.texts(page)


def test_the_page_follows_the_language_of_the_instruction(page: AppTest, panel: bytes) -> None:
    chat.started(page, panel, "傷を探して")
    shown = chat.texts(page)
    assert "NG（不良）" in shown
    assert "欠陥を探す" in shown
    assert "まだ署名されていません" in shown
    assert list(page.table[0].value.columns) == ["番号", "種類", "スコア", "位置（px）", "手順"]


def test_a_chosen_language_stays(page: AppTest, panel: bytes) -> None:
    page.run()
    page.segmented_control(key="language").set_value("ja").run()
    assert "何を検査しますか？" in chat.texts(page)
    chat.give(page, panel)
    chat.say(page, "Look for scratches.")
    assert "NG（不良）" in chat.texts(page)


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_file_that_is_no_picture_is_refused_in_one_line(page: AppTest, data: bytes) -> None:
    page.run()
    chat.give(page, data, "傷 写真 *bold*.png")
    assert not page.exception
    assert len(page.error) == 1
    assert "\n" not in page.error[0].value
    assert "傷 写真" in page.error[0].value
    assert "*bold*" not in page.error[0].value.replace("\\*", "")


def test_bad_criteria_are_refused_and_good_ones_named(page: AppTest, panel: bytes) -> None:
    page.run()
    chat.give(page, panel)
    chat.give(page, b"limits: 3", "limits.yaml", field="criteria")
    assert len(page.error) == 1
    assert "/tmp" not in page.error[0].value
    good = b"product: panel\nrevision: 3\nlimits:\n  - {defect: scratch, quantity: length, max: 25, unit: mm}\n"
    chat.give(page, good, "limits.yaml", field="criteria")
    assert not page.error
    assert "scratch.length<=25mm" in chat.texts(page)


def test_the_trace_can_be_taken_along(page: AppTest, panel: bytes) -> None:
    chat.started(page, panel, "Look for scratches.")
    assert [button.label for button in page.get("download_button")] == ["Report", "Trace (JSON)"]
    assert json.loads(chat.stored(page).model_dump_json())["version"] == 1


def test_a_removed_sample_picture_leaves_the_material(page: AppTest, panel: bytes, golden: bytes) -> None:
    page.run()
    chat.give(page, panel)
    chat.give(page, golden, "golden.png", field="references")
    upload = next(f for f in page.file_uploader if str(f.key).startswith("references"))
    upload.set_value([])
    page.run()
    chat.say(page, "Compare with the golden sample")
    assert [image.role for image in chat.stored(page).images] == ["subject"]


def test_a_picture_sent_with_the_text_starts_at_once(page: AppTest, panel: bytes) -> None:
    page.run()
    page.chat_input[0].set_value("Look for scratches.").upload("panel.png", panel, "image/png")
    page.run()
    assert not page.exception
    assert ":red-badge[:material/cancel: NG]" in chat.texts(page)
