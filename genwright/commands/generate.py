"""`genwright generate`: files people open, and a JSON file that says how to get the same ones again."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.console import Console

from genwright.core.errors import ModelError

if TYPE_CHECKING:
    from genwright.sampling.chain import Wish
    from genwright.sampling.model import Model


def command(
    name: Annotated[str, typer.Argument(help="a registered model; `genwright show NAME` says what it can be given")],
    n: Annotated[int, typer.Option("-n", help="how many")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="the same seed gives the same bytes, however many are drawn")] = 0,
    out: Annotated[Path, typer.Option(help="folder to write to")] = Path("samples"),
    version: Annotated[int | None, typer.Option(help="a version other than the champion")] = None,
    give: Annotated[
        list[str] | None, typer.Option("--give", metavar="NAME=VALUE|FILE", help="an input; a text from a file is @FILE")
    ] = None,
    label: Annotated[str | None, typer.Option(help="the class to draw; default: all in turn")] = None,
    prompt: Annotated[str | None, typer.Option(help="the text to draw or to answer, or the beginning of one")] = None,
    image: Annotated[Path | None, typer.Option(help="the picture to work from")] = None,
    sketch: Annotated[Path | None, typer.Option(help="the drawing to make a picture of")] = None,
    mask: Annotated[Path | None, typer.Option(help="of the picture: white is made anew, black stays to the bit")] = None,
    extend: Annotated[str | None, typer.Option(help="by how much it goes on beyond its edges, e.g. left=0.5,right=0.5")] = None,
    reference: Annotated[Path | None, typer.Option(help="a picture that what is made should be like")] = None,
    strength: Annotated[float | None, typer.Option(help="how much of the picture is made anew, up to 1")] = None,
    steps: Annotated[int | None, typer.Option(help="of removing noise; more take longer")] = None,
    guidance: Annotated[float | None, typer.Option(help="above 1: closer to what is given, less varied")] = None,
    option: Annotated[list[str] | None, typer.Option("--set", help="a sampling option, e.g. temperature=0.8")] = None,
    between: Annotated[tuple[Path, Path] | None, typer.Option(help="walk the latent space from one file to another")] = None,
    toward: Annotated[Path | None, typer.Option(help="folder of pictures with what --image should have more of")] = None,
    away: Annotated[Path | None, typer.Option(help="folder of pictures without it")] = None,
    by: Annotated[float, typer.Option(help="how far along the way from the one to the other")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Generate samples of a registered model."""
    options = dict(_option(text) for text in option or [])
    options |= {key: value for key, value in (("steps", steps), ("guidance", guidance)) if value is not None}
    paths = {"image": image, "sketch": sketch, "mask": mask, "reference": reference}
    files = {key: None if path is None else str(path) for key, path in paths.items()}
    friendly: dict[str, Any] = {"label": label, "prompt": prompt, **files, "strength": strength, "extend": extend}
    asked = {"give": dict(_given(text) for text in give or []), **friendly, "options": options}
    walk = _walk(between, image, toward, away, by, {key: value for key, value in asked.items() if value})

    import genwright

    model = genwright.load(name, version)
    if walk is not None:
        made = write(model, walk.taken(model, n), [], {**walk.told, "n": n}, out)
    else:
        wishes = _doubted(lambda: model.wishes(n, seed=seed, give=asked["give"], **friendly, **options))
        settings = {"n": n, "seed": seed, **{key: value for key, value in asked.items() if value}}
        made = write(model, model.grant(wishes), [model.asked(wish) for wish in wishes], settings, out)
    show(made, out, as_json)


def _doubted(ask: Callable[[], list[Wish]]) -> list[Wish]:
    """What is asked for; what it is warned of is said on stderr."""
    from genwright.sampling.wish import Doubt

    with warnings.catch_warnings(record=True) as met:
        warnings.simplefilter("always", Doubt)
        wishes = ask()
    for one in met:
        if one.category is Doubt:
            Console(stderr=True).print(f"Note: {one.message}.", highlight=False, markup=False, soft_wrap=True)
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return wishes


def show(summary: dict[str, Any], out: Path, as_json: bool) -> None:
    """What was written and where."""
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    made = f"{len(summary['files'])} samples of {summary['model']['name']} version {summary['model']['version']}"
    Console().print(f"{made} in {out}; side by side in {out / summary['sheet']}", highlight=False, soft_wrap=True)


def write(model: Model, values: list[Any], captions: list[str], settings: dict[str, Any], out: Path) -> dict[str, Any]:
    """One file a sample, all side by side in `sheet` with their captions, and `samples.json`; returns what that holds."""
    from genwright.core.durable import sha256, write_json

    try:
        out.mkdir(parents=True, exist_ok=True)
        cleared(out)
        files = model.save(values, out)
        sheet = model.content.preview(values, out / "sheet", captions)
    except OSError as error:
        raise ModelError("The samples cannot be written.", got=error, do="choose another folder with --out") from error
    assert model.version is not None
    summary = {
        "model": model.version.model_dump(mode="json", include={"name", "version", "weights", "data", "recipe"}),
        "settings": settings,
        "sheet": sheet.name,
        "files": {file.name: sha256(file) for file in files},
        "asked": {file.name: caption for file, caption in zip(files, captions, strict=False) if caption},
    }
    write_json(out / "samples.json", summary)
    return summary


def cleared(out: Path) -> None:
    """Remove what an earlier call wrote into a folder, as its `samples.json` says, where it is still as it was written."""
    from genwright.core.durable import sha256

    try:
        told = json.loads((out / "samples.json").read_text())
        written = {**told["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return  # nothing there is known to be ours
    for name, digest in written.items():
        file = out / Path(str(name)).name
        if file.is_file() and not file.is_symlink() and sha256(file) == digest:
            file.unlink()
    for sheet in out.glob("sheet.*"):
        sheet.unlink()


def _given(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ModelError("An input is NAME=VALUE or NAME=FILE.", got=text, allowed="e.g. --give caption='a red apple'")
    return name, value


def _option(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise ModelError("A sampling option is OPTION=VALUE.", got=text, allowed="e.g. --set temperature=0.8")
    return key, yaml.safe_load(value)


@dataclass(frozen=True)
class _Way:
    """A way through the latent space: between two files, or from one along what tells two folders apart."""

    told: dict[str, Any]
    taken: Callable[[Model, int], list[Any]]


def _walk(
    between: tuple[Path, Path] | None,
    image: Path | None,
    toward: Path | None,
    away: Path | None,
    by: float,
    asked: Collection[str],
) -> _Way | None:
    """The way that is asked for; None where none is. Raises ModelError where it is half told, where more is `asked` than it
    takes, or a file cannot be read."""
    if (between or toward or away) and set(asked) - ({"image"} if between is None else set()):
        raise ModelError("A walk through the latent space takes no other input or option.", do="leave them out")
    if between is not None:
        a, b = (_bytes(path) for path in between)
        return _Way({"between": [str(path) for path in between]}, lambda model, n: model.between(a, b, n))
    if toward is None and away is None:
        return None
    if toward is None or away is None or image is None:
        raise ModelError("A change of --image is told by two folders.", do="give --image, --toward and --away together")
    base, more, less = _bytes(image), _folder(toward), _folder(away)
    told = {"image": str(image), "toward": str(toward), "away": str(away), "by": by}
    return _Way(told, lambda model, n: model.along(base, more, less, by, n))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError("A file to walk from or to cannot be read.", got=error) from error


def _folder(path: Path) -> list[bytes]:
    """The files of a folder, in order."""
    found = [_bytes(file) for file in sorted(path.iterdir()) if file.is_file()] if path.is_dir() else []
    if not found:
        raise ModelError("A folder to walk by holds no files.", got=path)
    return found
