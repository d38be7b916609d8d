"""`genwright generate`: files people open, and a JSON file that says how to get the same ones again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.console import Console

from genwright.core.errors import ModelError

if TYPE_CHECKING:
    from genwright.sampling.model import Model


def command(
    name: Annotated[str, typer.Argument(help="a registered model")],
    n: Annotated[int, typer.Option("-n", help="how many")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="the same seed gives the same bytes")] = 0,
    out: Annotated[Path, typer.Option(help="folder to write to")] = Path("samples"),
    version: Annotated[int | None, typer.Option(help="a version other than the champion")] = None,
    label: Annotated[str | None, typer.Option(help="the class to draw; default: all in turn")] = None,
    condition: Annotated[str | None, typer.Option(help="the text to answer")] = None,
    prompt: Annotated[str | None, typer.Option(help="the beginning of a text")] = None,
    option: Annotated[list[str] | None, typer.Option("--set", help="a sampling option, e.g. temperature=0.8")] = None,
    between: Annotated[tuple[Path, Path] | None, typer.Option(help="walk the latent space from one file to another")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Generate samples of a registered model."""
    if label is not None and condition is not None:
        raise ModelError("Give --label or --condition, not both.", got=f"{label!r} and {condition!r}")
    options = dict(_option(text) for text in option or [])
    asked = {"label": label, "condition": condition, "prompt": prompt, "options": options}
    if between is not None and any(asked.values()):
        raise ModelError("A walk between two files takes no label, condition, prompt or option.", do="leave them out")

    import genwright

    model = genwright.load(name, version)
    if between is not None:
        values = model.between(_read(between[0]), _read(between[1]), n)
        settings: dict[str, Any] = {"between": [str(path) for path in between], "n": n}
    else:
        given = label if label is not None else condition
        values = model.generate(n, seed=seed, condition=given, prompt=prompt, **options)
        settings = {"n": n, "seed": seed, **{key: value for key, value in asked.items() if value}}
    summary = write(model, values, settings, out)
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
    else:
        made = f"{len(values)} samples of {name} version {summary['model']['version']}"
        Console().print(f"{made} in {out}; side by side in {out / summary['sheet']}", highlight=False, soft_wrap=True)


def write(model: Model, values: list[Any], settings: dict[str, Any], out: Path) -> dict[str, Any]:
    """One file a sample, all side by side in `sheet`, and `samples.json`; returns what that holds."""
    from genwright.core.durable import sha256, write_json

    try:
        out.mkdir(parents=True, exist_ok=True)
        files = model.save(values, out)
        sheet = model.content.preview(values, out / "sheet")
    except OSError as error:
        raise ModelError("The samples cannot be written.", got=error, do="choose another folder with --out") from error
    assert model.version is not None
    summary = {
        "model": model.version.model_dump(mode="json", include={"name", "version", "weights", "data", "recipe"}),
        "settings": settings,
        "sheet": sheet.name,
        "files": {file.name: sha256(file) for file in files},
    }
    write_json(out / "samples.json", summary)
    return summary


def _option(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise ModelError("A sampling option is OPTION=VALUE.", got=text, allowed="e.g. --set temperature=0.8")
    return key, yaml.safe_load(value)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError("A file to walk between cannot be read.", got=error) from error
