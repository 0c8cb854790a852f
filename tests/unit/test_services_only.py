"""Pages and commands reach stores and the loop through the services only: read from their source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("ui/**/*.py"), *ROOT.glob("kenpin/cli*.py"), ROOT / "kenpin" / "demo.py"])
WRITES = {
    "traces": {"save"},
    "pictures": {"put", "put_file", "discard"},
    "products": {"add", "remove"},
    "cases": {"add", "remove", "add_many", "restate"},
    "stored_cases": {"add", "remove", "rebuild", "add_many", "restate"},
    "checkpointer": {"put", "delete_thread"},
    "vault": {"seal", "forget"},
    "audit": {"append"},
    "database": {"write"},
}
"""What changes a store, by the name under which `Kenpin` holds it."""
THROWAWAY = {("kenpin/cli.py", "evaluate")}
"""Functions that run a suite in a data folder of their own, which is gone when they end."""


def wrong_calls(source: str, name: str) -> Iterator[str]:
    """Calls that bypass the services, as `line: what`."""
    tree = ast.parse(source)
    for function, node in _calls(tree):
        if (name, function) in THROWAWAY or not isinstance(node.func, ast.Attribute):
            continue
        held, method = _last(node.func.value), node.func.attr
        if method == "inspector" or "inspector" in held.lower():
            yield f"{node.lineno}: {held}.{method}"
        if method in WRITES.get(held, set()) and not _by_actor(node):
            yield f"{node.lineno}: {held}.{method}"


def _calls(tree: ast.AST, function: str = "") -> Iterator[tuple[str, ast.Call]]:
    for node in ast.iter_child_nodes(tree):
        inside = node.name if isinstance(node, ast.FunctionDef) else function
        if isinstance(node, ast.Call):
            yield inside, node
        yield from _calls(node, inside)


def _last(value: ast.expr) -> str:
    if isinstance(value, ast.Call):
        return _last(value.func)
    return value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else ""


def _by_actor(node: ast.Call) -> bool:
    """A service's action: its first argument is the actor."""
    return bool(node.args) and _last(node.args[0]) in {"actor", "console_actor", "visitor"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_page_and_no_command_goes_around_the_services(file: Path) -> None:
    assert list(wrong_calls(file.read_text(encoding="utf-8"), str(file.relative_to(ROOT)))) == []


@pytest.mark.parametrize(
    "source",
    [
        "installation().inspector('vllm').say(i, 'x')",
        "def f(inspector):\n    inspector.start(material)",
        "def f(k):\n    k.traces.save(trace)",
        "installation().products.add('x')",
        "kenpin.cases.remove('x')",
        "with kenpin.database.write() as c: pass",
        "kenpin.audit.append(c, actor='me')",
    ],
)
def test_the_test_sees_what_it_is_for(source: str) -> None:
    assert len(list(wrong_calls(source, "ui/x.py"))) >= 1


@pytest.mark.parametrize("source", ["services().products.add(visitor(), 'x')", "asking.say(actor, i, 'x')", "x.save()"])
def test_the_services_themselves_pass(source: str) -> None:
    assert not list(wrong_calls(source, "ui/x.py"))
