"""The pages where another planner stood in: who answered, why, and from which step on, in both languages."""

from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda
from streamlit.testing.v1 import AppTest

from agent.deciding import StandIn
from agent.inspector import Inspector
from kenpin.contracts.errors import Unavailable
from kenpin.contracts.trace import PlannerInfo

HERE = Path(__file__).parent
chat = SimpleNamespace(**run_path(str(HERE / "driver.py")))
review = SimpleNamespace(**run_path(str(HERE / "reviewing.py")))
room, staffed = review.room, review.staffed
WHY = "no server answers at <b>http://127.0.0.1:8000</b>; **start** it"
SAID = {"en": "The vLLM server did not answer; this turn was answered by the embedded planner, from step 2 on",
        "ja": "vLLMサーバーが応答しなかったため、このやり取りにはステップ2以降、内蔵プランナーが回答しました"}


def stand_in(kenpin: Any, scripted: ModuleType, patch: pytest.MonkeyPatch, *, after: int = 1) -> None:
    """Give an installation a planner that is gone after so many calls of a turn, and one that stands in for it."""
    made = kenpin._inspector
    other = made.planner

    def gone(messages: list[Any]) -> AIMessage:
        said = max(i for i, m in enumerate(messages) if isinstance(m, HumanMessage))
        if sum(isinstance(m, AIMessage) for m in messages[said:]) >= after:
            raise Unavailable(WHY)
        return scripted._next(messages)

    main = replace(other, info=PlannerInfo(backend="vllm", model="qwen", prompt="planner/1"), model=RunnableLambda(gone))
    made = Inspector(main, made.recorder, made.traces, made.checkpointer, StandIn("embedded", lambda name: other))
    patch.setitem(kenpin.__dict__, "inspector", lambda planner=None: made)


@pytest.mark.parametrize(("lang", "say"), [("en", "Look for scratches."), ("ja", "傷を探して")])
def test_the_chat_page_says_who_answered(page: AppTest, scripted: ModuleType, panel: bytes, lang: str, say: str,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    from ui.backend import installation
    from ui.state import Session

    page.session_state["kenpin"] = Session(choice=lang)  # type: ignore[arg-type]
    page.run()
    stand_in(installation(), scripted, monkeypatch)
    chat.give(page, panel)
    chat.say(page, say)
    assert not page.exception
    (told,) = (w.value for w in page.warning if "vLLM" in w.value)
    assert SAID[lang] in told.replace("\\", "")
    assert "\\*\\*start\\*\\*" in told and "<b>" not in told
    assert {"en": "From here on", "ja": "ここから先"}[lang] in chat.texts(page)
    trace = chat.stored(page)
    assert trace.turns[0].fallback and trace.turns[0].planner.backend == "embedded"


def test_a_turn_without_a_stand_in_says_nothing_of_one(page: AppTest, panel: bytes) -> None:
    chat.started(page, panel, "Look for scratches.")
    assert "stands in" not in chat.texts(page) and not any("vLLM" in w.value for w in page.warning)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_review_page_says_it_beside_the_verdict(  # type: ignore[no-untyped-def]
    room, scripted: ModuleType, panel: bytes, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(room.kenpin, scripted, monkeypatch)
    one = review.asked(room.kenpin, panel)
    page = room.page(one, "mori", lang=lang)
    (told,) = (w.value for w in page.warning if "vLLM" in w.value)
    assert SAID[lang] in told.replace("\\", "")
    record = list(page.table[-1].value.iloc[:, 1])
    assert record[1] == "embedded · scripted for tests", "what the answer was made with"
    assert room.kenpin.traces.recent(1)[0].planner == "embedded"
