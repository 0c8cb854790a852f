"""What is installed: roots that nobody shares, packages that nothing misses, no address in a committed file."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOTS = ("agent", "kenpin", "prompts", "tools", "ui")
LEFT_OUT = ("kubernetes", "pydeck")
ADDRESS = re.compile(
    r"^(?:--(?:extra-)?index-url|--find-links)|registry = .*:[/]{2}|\"?resolved\"?[ :=]+\"?https?:[/]{2}"
    r"|https?:[/]{2}[^ \"]+\.(?:whl|tar\.gz|tgz|deb)(?:[#\" ]|$)",
    re.MULTILINE,
)


def committed() -> list[Path]:
    """Files of the repository; in a copy without git, all files that are not built."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    return [p for p in ROOT.rglob("*") if p.is_file() and not any(part.startswith(".venv") for part in p.parts)]


@pytest.mark.parametrize("root", ROOTS)
def test_the_roots_belong_to_kenpin_alone(root: str) -> None:
    assert set(packages_distributions().get(root, ())) <= {"kenpin"}


def test_the_wheel_holds_exactly_these_roots() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert sorted(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == sorted(ROOTS)


def test_no_page_shadows_a_root() -> None:
    # Streamlit puts ui/ first on the path.
    assert not {p.stem for p in (ROOT / "ui").iterdir()} & set(ROOTS)
    assert not (ROOT / "ui" / "pages").exists()


def test_tests_are_no_packages() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_every_locked_package_has_a_hash_and_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = re.findall(
        r"^([a-z0-9_.\[\]-]+)==[^\s\\;]+[^\n]*\\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", lock, re.MULTILINE
    )
    named = re.findall(r"^[a-z0-9]", lock, re.MULTILINE)

    assert len(pins) == len(named) > 100
    assert "://" not in lock and not ADDRESS.search(lock)


def test_the_base_is_light() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    names = {name.lower().replace("_", "-") for name in re.findall(r"^([A-Za-z0-9_.-]+)==", lock, re.MULTILINE)}
    there = {
        line.split("==")[0] for line in lock.splitlines() if "==" in line and "sys_platform == 'never'" not in line
    }

    assert not names & {"torch", "transformers", "vllm", "ray", "peft"} and not [
        n for n in names if n.startswith("nvidia-")
    ]
    assert not there & set(LEFT_OUT)


def test_no_committed_file_names_a_registry_or_a_download() -> None:
    found = []
    for path in committed():
        data = path.read_bytes()
        if path.suffix != ".md" and b"\0" not in data[:8000] and path != Path(__file__):
            found += [
                f"{path.relative_to(ROOT)}: {m.group()[:60]}" for m in ADDRESS.finditer(data.decode("utf-8", "replace"))
            ]

    assert found == []


def test_no_committed_file_names_a_machine() -> None:
    places = re.compile(rb"/(?:work|home|root|Users)/[A-Za-z0-9_]")
    own = {Path(__file__)}
    found = [str(path.relative_to(ROOT)) for path in committed() if path.suffix in {".py", ".toml", ".yaml", ".md", ".sh", ""}
             and path not in own and places.search(path.read_bytes())]  # fmt: skip

    assert found == []


BLOCKED = """
import importlib.abc, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {left_out!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""
CHROMA = """
import chromadb
from chromadb.config import Settings
client = chromadb.PersistentClient(path=sys.argv[1], settings=Settings(anonymized_telemetry=False))
cases = client.get_or_create_collection("cases", embedding_function=None)
cases.add(ids=["a", "b"], embeddings=[[1.0, 0.0], [0.0, 1.0]], metadatas=[{"type": "scratch"}, {"type": "pit"}])
found = cases.query(query_embeddings=[[0.9, 0.1]], n_results=1, where={"type": "scratch"})
print(found["ids"][0][0], cases.count())
"""
STREAMLIT = """
from streamlit.testing.v1 import AppTest
app = AppTest.from_string('''
import numpy, streamlit as st
st.title("Kenpin")
st.image(numpy.zeros((8, 8, 3), "uint8"))
st.dataframe({"a": [1, 2]})
if st.button("go"):
    st.write("gone")
''', default_timeout=30).run()
app.button[0].click().run()
print(app.title[0].value, app.markdown[0].value, len(app.exception))
"""


@pytest.mark.parametrize(("part", "says"), [(CHROMA, "a 2"), (STREAMLIT, "Kenpin gone 0")], ids=["chroma", "streamlit"])
def test_what_was_left_out_is_not_missed(part: str, says: str, tmp_path: Path) -> None:
    code = BLOCKED.format(left_out=LEFT_OUT) + part
    environment = {**os.environ, "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false"}

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)], env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip

    assert done.stdout.strip().splitlines()[-1:] == [says], done.stderr[-2000:]
