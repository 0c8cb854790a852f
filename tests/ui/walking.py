"""The whole app as one of the staff of `reviewing.py`, page by page. Loaded by the tests with `runpy`."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from kenpin.contracts.people import Actor
from kenpin.contracts.trace import Answer, Finding, PlannerInfo, Trace, TraceImage, Turn
from kenpin.contracts.verdict import Verdict
from ui.i18n import Language
from ui.state import KEY, Session

HERE = Path(__file__).parent
APP = str(HERE.parents[1] / "ui" / "app.py")
staff = SimpleNamespace(**run_path(str(HERE / "reviewing.py")))


class House:
    """An installation with its people, and the app as one of them."""

    def __init__(self, kenpin: Any, patch: pytest.MonkeyPatch) -> None:
        import ui.backend

        self.kenpin, self._patch = kenpin, patch
        self.staff: dict[str, Actor] = {}
        patch.setenv("KENPIN_HOME", str(kenpin.settings.home))
        patch.setattr(ui.backend, "open_kenpin", lambda settings: kenpin)
        st.cache_resource.clear()
        st.cache_data.clear()

    def hire(self) -> None:
        self.staff = staff.hire(self.kenpin)

    def open(self, name: str, who: str | None, lang: Language | None = None, **params: str) -> AppTest:
        """The app at a page, as one of the staff, or as the visitor while there are no accounts."""
        import ui.who

        token = self.staff[who].session if who is not None else None
        self._patch.setattr(ui.who, "token", lambda: token)
        page = AppTest.from_file(APP, default_timeout=30)
        for key, value in params.items():
            page.query_params[key] = value
        # `AppTest.switch_page` knows pages that are files; ours are functions, found by their address.
        page._page_hash = calc_hash(name)
        if lang:
            page.session_state[KEY] = Session(choice=lang)
        page.run()
        page._page_hash = ""
        assert not page.exception
        return page

    def trace(self, n: int, verdict: str | None = "ng", **more: Any) -> str:
        """A finished inspection that is on record, number `n` counting minutes back from now."""
        sha256 = more.pop("sha256", None) or self.kenpin.pictures.put(np.full((48, 64, 3), 90, np.uint8))
        findings = (Finding(id="f1", type="scratch", box=(4, 5, 20, 15), score=0.9, steps=(1,)),)
        answer = Answer(kind="answer", text="Looked [1].", verdict=Verdict(verdict) if verdict else None,
                        rule="no-finding" if verdict else None, findings=findings if verdict == "ng" else ())
        trace = Trace(
            id=f"t{n:04d}", created=datetime.now(UTC) - timedelta(minutes=n),
            planner=PlannerInfo(backend=more.pop("planner", "embedded"), model="m", prompt="p/1"),
            images=(TraceImage(id="v0", role="subject", sha256=sha256, width=64, height=48, mm_per_px=None),),
            turns=(Turn(say="Look for scratches.", answer=answer),), **{"asker": "tanaka", **more})
        self.kenpin.traces.save(trace)
        return trace.id


def rows(page: AppTest) -> list[str]:
    """The HTML of the rows or cards of a list."""
    found = [str(element.proto.body) for element in page.get("html")]
    return [html for html in found if 'class="k-row"' in html or 'class="k-card"' in html]


def menu(page: AppTest) -> list[str]:
    """The pages that the menu shows, by their place in the address."""
    from ui.go import PAGES

    return [name for name, one in page.session_state[PAGES].items() if one.visibility == "visible"]


def png(pixels: np.ndarray) -> bytes:
    """A PNG file in memory."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()
