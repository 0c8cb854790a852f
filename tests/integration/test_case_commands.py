"""`kenpin cases` with a picture and a box, and after Kenpin has changed."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kenpin.config import read_settings
from kenpin.wiring import open_kenpin

Kenpin = Callable[..., Any]


def test_a_picture_becomes_a_case_by_the_box_that_was_drawn(kenpin: Kenpin, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    picture = np.clip(140 + rng.normal(0, 4, (200, 260, 3)), 0, 255).astype(np.uint8)
    cv2.line(picture, (60, 60), (150, 110), (240, 240, 240), 2, cv2.LINE_AA)
    cv2.imwrite(str(tmp_path / "part.png"), picture)
    told = ("--product", "lid", "--defect-type", "scratch", "--cause", "a chip", "--disposition", "rework")
    add = ("cases", "add", tmp_path / "part.png", *told)

    ran = kenpin(*add, "--box", "55,55,156,116", "--part", "L-7")
    assert ran.code == 0 and "added" in ran.out and "no --box" not in ran.out
    assert kenpin(*add, "--box", "55,55,156,116", "--part", "L-7").out == ran.out  # the same again replaces it
    search = ("cases", "search", "--picture", tmp_path / "part.png", "--box", "40,45,170,130", "--k", "1", "--json")
    (hit,) = json.loads(kenpin(*search).out)
    assert (hit["product"], hit["box"], hit["part"]) == ("lid", [55, 55, 156, 116], "L-7") and hit["likeness"] > 0.7

    whole = kenpin(*add)
    assert whole.code == 0 and "no --box" in whole.out
    for wrong in (("--box", "55,55,900,116"), ("--box", "55,55"), ("--box", "9,9,3,3")):
        assert kenpin(*add, *wrong).code == 2
    assert kenpin(*add[:3], "--product", "lid").code == 2
    assert kenpin("cases", "add", tmp_path, "--product", "lid").code == 2


def test_cases_of_an_earlier_kenpin_are_described_anew(kenpin: Kenpin, tmp_path: Path) -> None:
    from kenpin.cases.chroma import ChromaCases
    from kenpin.cases.embed_offline import OfflineEmbedder

    before = json.loads(kenpin("cases", "list", "--json").out)
    installed = open_kenpin(read_settings(home=Path(os.environ["KENPIN_HOME"])))
    old = ChromaCases(OfflineEmbedder(), folder=installed.home / "cases", sealer=installed.vault)
    assert old.rebuild(installed.pictures) == len(before)
    old.close()
    assert json.loads(kenpin("cases", "search", "crack", "--k", "1", "--json").out)[0]["defect_type"] == "crack"
    assert json.loads(kenpin("cases", "list", "--json").out) == before
    assert f"{len(before)} cases described anew" in kenpin("cases", "rebuild").out


def test_a_list_is_checked_and_then_taken_in(kenpin: Kenpin, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((60, 80, 3), 90, np.uint8))
    listed = tmp_path / "事例.csv"
    text = "製品,欠陥種別,原因,処置,画像\n筐体,打痕,落下,廃棄,a.png\n筐体,割れ,落下,廃棄,b.png\n"
    listed.write_bytes(text.encode("cp932"))
    asked = ("cases", "import", listed, tmp_path)

    ran = kenpin(*asked)
    assert ran.code == 2 and ran.out == "" and "nothing was added" in ran.err
    assert "line 3: b.png: there is no such file" in ran.err and "Traceback" not in ran.err
    ran = kenpin(*asked, "--dry-run")
    assert ran.code == 0 and "1 cases would be added, 1 lines cannot be" in ran.out
    assert not any(one["origin"] == "imported" for one in json.loads(kenpin("cases", "list", "--json").out))
    assert kenpin(*asked, "--map", "nothing").code == 2
    ran = kenpin(*asked, "--skip-bad")
    assert (ran.code, ran.out) == (0, "1 cases imported, not signed\n")
    (hit,) = json.loads(kenpin("cases", "search", "落下", "--product", "筐体", "--json").out)
    assert (hit["defect_type"], hit["origin"], hit["signed_by"]) == ("dent", "imported", None)
    assert kenpin("cases", "settle").out == "0 changes carried over\n"
