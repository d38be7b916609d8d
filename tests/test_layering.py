"""The rooms: imports point one way, and each foreign package has one owner."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("commands", "flows", "tasks", "genwright")  # each may import those after it
FILES = sorted(p for room in ROOMS for p in (ROOT / room).rglob("*.py"))
NAMES = [str(p.relative_to(ROOT)) for p in FILES]
ORCHESTRATORS = {"prefect", "mlflow", "dvc"}


def imports(file: Path) -> Iterator[tuple[str, bool]]:
    """Modules a file imports, and whether within a function."""
    tree = ast.parse(file.read_text())
    inner = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in inner) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, id(node) in inner
            yield from ((f"{node.module}.{alias.name}", id(node) in inner) for alias in node.names)


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_imports_point_one_way(file: Path) -> None:
    room = file.relative_to(ROOT).parts[0]
    later = ROOMS[ROOMS.index(room) :]
    for module, _ in imports(file):
        top = module.partition(".")[0]
        assert top not in ROOMS or top in later, f"{room} imports {module}"


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_the_library_does_not_know_its_orchestrators(file: Path) -> None:
    parts = file.relative_to(ROOT).parts
    adapter = parts[:2] == ("genwright", "adapters")
    for module, inner in imports(file):
        top = module.partition(".")[0]
        if top in ORCHESTRATORS and not adapter:
            assert top == "prefect", f"only adapters import {top}"
            assert parts[0] in ("tasks", "flows"), f"{parts[0]} imports prefect"
        if parts[0] == "genwright" and not adapter and module.startswith("genwright.adapters"):
            assert parts == ("genwright", "__init__.py"), f"{file.name} reaches for an adapter"
            assert inner, "genwright must import without MLflow"


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_nothing_loads_code_from_data(file: Path) -> None:
    unsafe = {"pickle.load", "pickle.loads", "torch.load", "yaml.load", "dill.load", "joblib.load", "eval", "exec"}
    calls = {ast.unparse(n.func) for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)}
    assert not calls & unsafe


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_a_file_is_read_in_one_sitting_and_has_a_name(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 350
    assert file.stem not in {"utils", "helpers", "common", "misc"}
