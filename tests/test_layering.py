"""The rooms: imports point one way, and each foreign package has one owner."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "genwright"
ROOMS = (
    "core",
    "data",
    "models",
    "sampling",
    "evaluation",
    "triggers",
    "recipes",
    "training",
    "lifecycle",
    "reports",
    "adapters",
    "tasks",
    "flows",
    "commands",
)
"""In their order: each room may import those before it, and itself."""

OPEN = {"genwright/parts.py", "genwright/__init__.py", "genwright/__main__.py"}
"""The doors: what other packages, Python and the shell come in by."""

FILES = sorted(p for room in ROOMS for p in (PACKAGE / room).rglob("*.py"))
NAMES = [str(p.relative_to(PACKAGE)) for p in FILES]
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
    """Also those for types alone, and those within functions: what a room knows of, it depends on."""
    room = file.relative_to(PACKAGE).parts[0]
    allowed = ROOMS[: ROOMS.index(room) + 1]
    for module, _ in imports(file):
        parts = module.split(".")
        if parts[0] == "genwright" and len(parts) > 1 and parts[1] != "__version__":
            assert parts[1] in allowed, f"{room} imports {module}"


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_each_orchestrator_has_one_owner(file: Path) -> None:
    room = file.relative_to(PACKAGE).parts[0]
    for module, _ in imports(file):
        top = module.partition(".")[0]
        if top in ORCHESTRATORS and room != "adapters":
            assert top == "prefect", f"only adapters import {top}"
            assert room in ("tasks", "flows"), f"{room} imports prefect"


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_nothing_loads_code_from_data(file: Path) -> None:
    unsafe = {"pickle.load", "pickle.loads", "torch.load", "yaml.load", "dill.load", "joblib.load", "eval", "exec"}
    calls = {ast.unparse(n.func) for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)}
    assert not calls & unsafe


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_a_file_is_read_in_one_sitting_and_has_a_name(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 350
    assert file.stem not in {"utils", "helpers", "common", "misc"}
