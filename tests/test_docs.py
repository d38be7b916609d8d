"""The pages for people say what is true: their recipes parse, their commands and links exist, no part is forgotten."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from genwright.commands.app import build
from genwright.core.plugins import Plugins
from genwright.data.derivations.base import derivations
from genwright.data.filters.base import filters
from genwright.data.modalities.base import modalities
from genwright.data.sources.base import sources
from genwright.evaluation.metrics.base import metrics
from genwright.models.architectures.base import architectures
from genwright.recipes.recipe import Recipe, parse
from genwright.triggers.base import triggers

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
LEAST = {"name": "birds", "sources": [{"kind": "folder", "path": "inbox"}]}
ROOMS = [sources, filters, modalities, derivations, architectures, metrics, triggers]

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@pages
def test_recipes_parse(page: Path) -> None:
    for language, text in BLOCK.findall(page.read_text()):
        if language == "yaml":
            given = yaml.safe_load(text)
            content = {} if "columns" in given else {"content": "image"}
            assert isinstance(parse({**LEAST, **content, **given}, page.name), Recipe)


@pages
def test_python_compiles(page: Path) -> None:
    for language, text in BLOCK.findall(page.read_text()):
        if language == "python":
            compile(text, page.name, "exec")


@pages
def test_commands_and_their_options_exist(page: Path) -> None:
    application = typer.main.get_command(build())
    text = page.read_text()
    lines = [line for language, block in BLOCK.findall(text) if not language for line in block.splitlines()]
    lines += re.findall(r"`(genwright [^`]+)`", text)
    for line in lines:
        if not line.startswith("genwright "):
            continue
        words = shlex.split(line, comments=True)[1:]
        command = application
        while words and hasattr(command, "commands"):
            if words[0].startswith("-"):
                break
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert {word for word in words if word.startswith("-")} <= known, line


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"[^!]\[[^\]]*\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pages
def test_files_that_are_named_are_there(page: Path) -> None:
    """Of the library; those of the architecture's tables are named from the package on."""
    for name in re.findall(r"`((?:[a-z_0-9]+/)+[a-z_0-9]+\.py)`", page.read_text()):
        assert (ROOT / name).is_file() or (ROOT / "genwright" / name).is_file(), name


@pages
def test_lines_can_be_read(page: Path) -> None:
    """Tables aside, no line is longer than the code's."""
    assert all(len(line) <= 128 for line in page.read_text().splitlines() if not line.startswith("|"))


@pytest.mark.parametrize("registry", ROOMS, ids=lambda registry: registry.room)
def test_every_part_is_described(registry: Plugins[object]) -> None:  # type: ignore[type-var]
    said = "\n".join(page.read_text() for page in PAGES if page.name != "ARCHITECTURE.md")
    for name in registry.all():
        assert f"`{name}`" in said or f"kind: {name}" in said or f" {name}:" in said, name


def test_every_key_of_a_recipe_is_described() -> None:
    said = (ROOT / "docs" / "recipes.md").read_text()
    assert all(f"`{key}`" in said for key in Recipe.model_fields)


def test_what_is_said_to_lie_in_a_file_lies_there() -> None:
    said = re.findall(r"`(genwright/[\w/.]+\.py)` \(`(\w+)`\)", (ROOT / "ARCHITECTURE.md").read_text())
    assert len(said) >= 5
    for file, name in said:
        assert re.search(rf"\b{name}\b", (ROOT / file).read_text()), (file, name)
