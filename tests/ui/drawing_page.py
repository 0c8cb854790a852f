"""A page with nothing but the drawing field, for the browser test: `streamlit run` starts this file."""

import numpy as np
import streamlit as st

from ui.i18n import texts_of
from ui.parts.drawing import draw
from ui.parts.viewer import Mark, load_pixels

WIDTH, HEIGHT = 320, 240
pixels = np.full((HEIGHT, WIDTH, 3), 170, np.uint8)
pixels[80:90, 100:160] = 50
load_pixels(pixels, name="drawing-page")
lang = "ja" if "ja" in st.query_params else "en"
start = (100, 80, 160, 90) if "start" in st.query_params else None
box = draw("drawing-page", size=(WIDTH, HEIGHT), token="t1", box=start, mm_per_px=0.1, t=texts_of(lang), alt="Panel",
           marks=[Mark(box=(10, 10, 40, 30), label="f1")], key="field")
st.code(str(list(box)) if box else "none")
