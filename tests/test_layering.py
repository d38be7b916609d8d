"""The rooms: imports point one way, and each foreign package has one owner."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
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


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def module(file: Path) -> str:
    """The name a file is imported by."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(file: Path) -> Iterator[tuple[str, bool]]:
    """Modules a file imports, and whether within a function."""
    tree = ast.parse(file.read_text())
    inner = {id(n) for f in functions(tree) for n in ast.walk(f)}
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
    calls = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)]
    # One file of weights comes in a form that may hold code: it is known by its hash, and nothing but tensors is read of it.
    if file.relative_to(PACKAGE).as_posix() == "evaluation/pretrained.py":
        calls = [n for n in calls if "weights_only=True" not in map(ast.unparse, n.keywords)]
    assert not {ast.unparse(n.func) for n in calls} & unsafe


@pytest.mark.parametrize("room", ROOMS)
def test_no_circle_within_a_room(room: str) -> None:
    """Of imports at the head of a file, also those for types alone."""
    files = {module(file): file for file in FILES if file.relative_to(PACKAGE).parts[0] == room}
    graph = {
        name: {found for found, inner in imports(file) if not inner and found in files and found != name}
        for name, file in files.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_a_file_has_the_name_of_what_is_in_it(file: Path) -> None:
    assert file.stem not in {"utils", "helpers", "common", "misc"}


def test_files_are_read_in_one_sitting() -> None:
    """Nine of ten in 300 lines, and none is much longer."""
    sizes = sorted((len(file.read_text().splitlines()), name) for file, name in zip(FILES, NAMES, strict=True))
    long = [f"{name}: {lines} lines" for lines, name in sizes if lines > 300]
    assert sizes[int(0.9 * len(sizes))][0] <= 300, long
    assert sizes[-1][0] <= 350, long


def test_functions_fit_a_screen() -> None:
    long = [
        f"{name}, {function.name}: {lines} lines"
        for file, name in zip(FILES, NAMES, strict=True)
        for function in functions(ast.parse(file.read_text()))
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > 45
    ]
    assert not long


def test_the_library_and_its_doors_need_no_orchestrator() -> None:
    """Every room below the adapters, the command line's modules and what other packages import, where there are none."""
    rooms = ROOMS[: ROOMS.index("adapters")]
    names = [module(file) for file in FILES if file.relative_to(PACKAGE).parts[0] in (*rooms, "commands")]
    program = f"""
import importlib, sys
sys.modules.update(dict.fromkeys({sorted(ORCHESTRATORS)}))  # importing one of them fails
for name in ["genwright", "genwright.parts", *{names}]:
    importlib.import_module(name)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_other_packages_import_is_there() -> None:
    from genwright import parts

    assert sorted(parts.__all__) == sorted(set(parts.__all__))
    registers = ("architectures", "modalities", "sources", "filters", "derivations", "metrics", "triggers")
    assert {name: getattr(parts, name).room for name in registers} == {name: name for name in registers}
