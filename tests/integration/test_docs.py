"""What the documents promise must be there: each test that they name exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
DOCUMENTS = sorted((ROOT / "docs").glob("**/*.md"))


@cache
def names_in(file: Path) -> frozenset[str]:
    """Names of the test functions of a file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_a_document_names_is_there(document: Path) -> None:
    named = NAMED.findall(document.read_text(encoding="utf-8"))
    missing = [f"{file}::{name}" for file, name in named
               if not (ROOT / file).is_file() or name not in names_in(ROOT / file)]
    assert missing == []


@pytest.mark.parametrize("document", ["part11.md", "security.md"])
def test_the_tables_for_auditors_name_tests(document: str) -> None:
    assert len(NAMED.findall((ROOT / "docs" / document).read_text(encoding="utf-8"))) >= 12
