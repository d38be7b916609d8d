"""`genwright new`: what it makes of folders, read back as a recipe."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from genwright.commands.app import build
from genwright.core.errors import DataError, GenwrightError, RecipeError
from genwright.core.workspace import Workspace
from genwright.data.modalities.base import modalities
from genwright.recipes.inspect import inspect
from genwright.recipes.origin import Origin
from genwright.recipes.recipe import Recipe, load
from genwright.recipes.stages import items
from genwright.recipes.suggest import Machine, Proposal
from tests import brought
from tests.workspaces import genwright

LAPTOP = Machine(cores=2, memory_gib=16, gpu=None)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is no workspace yet."""
    monkeypatch.setenv("GENWRIGHT_WORKSPACE", str(tmp_path))
    return tmp_path


def picture(number: int, height: int = 20, width: int = 20, *, colour: bool = False) -> bytes:
    random = np.random.default_rng(number)
    levels = random.integers(0, 255, (height, width, 3 if colour else 1), dtype=np.uint8)
    png = io.BytesIO()
    Image.fromarray(levels if colour else levels[..., 0]).save(png, format="PNG")
    return png.getvalue()


def fill(folder: Path, n: int, data: object = picture, suffix: str = ".png") -> Path:
    """`n` files, all different."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n):
        content = data(number + 1000 * len(folder.name)) if callable(data) else data
        (folder / f"{number:03d}{suffix}").write_bytes(content)
    return folder


def texts(folder: Path, n: int, kind: str = "text", suffix: str = ".txt") -> Path:
    files = iter(modalities.get(kind).fixture(n))
    return fill(folder, n, lambda _: next(files), suffix)


def new(name: str, folder: Path, *more: str) -> None:
    result = CliRunner().invoke(build(), ["new", name, "--from", str(folder), *more])
    if result.exception is not None:
        raise result.exception


def made(workspace: Path, folder: Path) -> Recipe:
    """The recipe that is written for a folder."""
    new("mine", folder)
    return load(workspace / "recipes" / "mine.yaml")


def test_few_pictures_are_seen_a_little_otherwise_every_time_and_it_is_said_why(workspace: Path) -> None:
    recipe = made(workspace, fill(workspace / "inbox", 80))
    assert recipe.outcome.view.makes == "altered"
    assert recipe.derived["altered"].part.kind == "augmented"
    assert recipe.derived["altered"].part.options == {"shift": 0.06}  # nothing that could change what a picture means
    assert "With 80 pictures a model would soon know each by heart" in (workspace / "recipes" / "mine.yaml").read_text()


def test_what_lies_on_another_picture_is_not_moved_alone(workspace: Path) -> None:
    fill(workspace / "inbox", 80)
    for path in list((workspace / "inbox").glob("*.png")):
        path.with_name(f"{path.stem}-condlabel.png").write_bytes(path.read_bytes())
    recipe = made(workspace, workspace / "inbox")
    assert recipe.condition is not None
    assert recipe.condition.kind == "image"
    assert not recipe.derived


def test_grey_pictures(workspace: Path) -> None:
    recipe = made(workspace, fill(workspace / "inbox", 80))
    assert recipe.content.kind == "image"
    assert recipe.content.options == {"size": [16, 16], "channels": 1}
    assert recipe.condition is None
    assert recipe.sources[0].options == {"path": "inbox"}
    assert [part.kind for part in recipe.cleaning] == ["corrupt", "exact_duplicates", "near_duplicates"]


def test_wide_colour_pictures(workspace: Path) -> None:
    folder = fill(workspace / "inbox", 60, lambda n: picture(n, 100, 200, colour=True))
    recipe = made(workspace, folder)
    assert recipe.content.options["size"] == [16, 32]
    assert recipe.content.options.get("channels", 3) == 3


def test_subfolders_are_labels(workspace: Path) -> None:
    for name in ("cats", 'dogs: "big" ones', "öäü 🐟"):  # names that YAML, shells or encodings stumble over
        fill(workspace / "pets" / name, 30, lambda n, name=name: picture(n + len(name) * 500))
    recipe = made(workspace, workspace / "pets")
    assert recipe.condition is not None
    assert recipe.condition.kind == "label"
    assert recipe.sources[0].options["labels"] == "subfolder"
    assert "evenness" in recipe.accept


def test_folders_called_train_and_test_are_no_labels_but_those_in_them_are(workspace: Path) -> None:
    for side in ("train", "test"):
        for name in ("cats", "dogs"):
            fill(workspace / "pets" / side / name, 20, lambda n, s=side + name: picture(n + sum(map(ord, s)) * 100))
    recipe = made(workspace, workspace / "pets")
    assert recipe.sources[0].options["labels"] == "parent"
    assert set(inspect(workspace / "pets").classes) == {"cats", "dogs"}


def test_a_few_files_in_folders_are_no_labels(workspace: Path) -> None:
    fill(workspace / "inbox", 60)
    for name in ("a", "b", "c"):
        fill(workspace / "inbox" / name, 2, lambda n, name=name: picture(n + ord(name) * 500))
    assert made(workspace, workspace / "inbox").condition is None


def test_captions_are_found_and_a_model_is_asked_by_them(workspace: Path) -> None:
    folder = fill(workspace / "inbox", 60)
    for path in list(folder.glob("*.png")):
        path.with_suffix(".txt").write_text(f"caption {path.stem}")
    found = inspect(folder)
    assert (found.kind, found.captions, found.given) == ("image", ".txt", {"caption": 60})
    recipe = made(workspace, folder)
    assert recipe.condition is not None
    assert (recipe.condition.kind, recipe.sources[0].options["captions"]) == ("text", ".txt")
    assert len(list(items(recipe, Workspace(workspace)))) == 60


def test_text(workspace: Path) -> None:
    recipe = made(workspace, texts(workspace / "inbox", 120))
    assert recipe.content.kind == "text"
    assert recipe.content.options["length"] == 128
    assert "bits_per_byte" in recipe.accept


def test_folders_of_long_files_are_labels_too(workspace: Path) -> None:
    long = "function f(x) {\n" + "".join(f"  x = x + {i};\n" for i in range(400)) + "}\n"
    for name in ("api", "core"):
        fill(workspace / "project" / name, 40, lambda n, name=name: f"// {name} {n}\n{long}".encode(), ".js")
    recipe = made(workspace, workspace / "project")
    assert recipe.content.kind == "code"
    assert recipe.content.options["ending"] == "js", "what it generates opens as what it was made from"
    assert recipe.condition is not None
    assert recipe.condition.kind == "label"


def test_what_is_passed_over_is_said(workspace: Path) -> None:
    """Files that cannot be read, folders that are no labels because captions say more, a folder of one file."""
    folder = texts(workspace / "inbox" / "good", 60)
    for place in range(20):
        (folder / f"west{place}.txt").write_bytes("caf\xe9 \u201cquoted\u201d".encode("cp1252"))
        (folder / f"wide{place}.txt").write_text(f"a wide sky {place}", encoding="utf-16")
    fill(workspace / "inbox" / "other", 20, lambda n: f"another {n}".encode(), ".txt")
    fill(workspace / "inbox" / "single", 1, lambda n: b"alone", ".txt")
    said = CliRunner().invoke(build(), ["new", "mine", "--from", str(workspace / "inbox")]).output
    assert "20 of 121 that were opened cannot be used" in said
    assert "not UTF-8" in said
    assert "`encoding: cp1252`" in said
    assert "labels of fewer than 5 items, too few to learn: 'single' 1" in said


def test_of_several_kinds_the_commonest_and_the_rest_is_named(workspace: Path) -> None:
    folder = fill(workspace / "inbox", 60)
    texts(folder / "notes", 10)
    fill(folder, 3, b"?", ".xyz")
    assert made(workspace, folder).content.kind == "image"
    text = (workspace / "recipes" / "mine.yaml").read_text()
    assert '10 x ".txt"' in text
    assert '3 x ".xyz"' in text


def test_names_cannot_break_out_of_the_recipe(workspace: Path) -> None:
    folder = fill(workspace / 'in "box": {x}\nname: other', 200)
    (folder / "bad\naccept: {}.png").write_bytes(b"no picture")
    recipe = made(workspace, folder)
    assert recipe.name == "mine"
    assert recipe.sources[0].options["path"] == 'in "box": {x}\nname: other'
    assert recipe.accept


def test_a_folder_elsewhere_is_named_absolutely(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = fill(tmp_path_factory.mktemp("elsewhere"), 60)
    assert made(workspace, folder).sources[0].options["path"] == str(folder)


def test_broken_and_doubled_files_are_counted(workspace: Path) -> None:
    folder = fill(workspace / "inbox", 60)
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "again.png").write_bytes((folder / "000.png").read_bytes())
    found = inspect(folder)
    assert list(found.unreadable) == ["broken.png"]
    assert found.duplicates == 1
    assert found.items == 62


def test_little_data_holds_out_more_and_asks_for_less(workspace: Path) -> None:
    few = Proposal("few", Origin.folder("few"), inspect(fill(workspace / "few", 60)), LAPTOP)
    many = Proposal("many", Origin.folder("many"), inspect(fill(workspace / "many", 900)), LAPTOP)
    assert few.split.test > many.split.test
    assert few.bounds == {}
    assert "novelty" in many.bounds
    assert many.held_out >= 60


def test_a_machine_with_a_gpu_gets_larger_pictures(workspace: Path) -> None:
    found = inspect(fill(workspace / "inbox", 50, lambda n: picture(n, 120, 120)))
    assert Proposal("a", Origin.folder("a"), found, LAPTOP).content["size"] == [32, 32]
    assert Proposal("a", Origin.folder("a"), found, Machine(cores=8, memory_gib=64, gpu="some")).content["size"] == [64, 64]


def test_what_cannot_be_used_is_said(workspace: Path) -> None:
    with pytest.raises(DataError, match="no folder at"):
        new("mine", workspace / "missing")
    (workspace / "empty" / ".hidden").mkdir(parents=True)
    fill(workspace / "empty" / ".hidden", 3)
    with pytest.raises(DataError, match="no file in"):
        new("mine", workspace / "empty")
    with pytest.raises(DataError, match=r"3 x \.xyz(.|\n)*image: .*\.png"):
        new("mine", fill(workspace / "odd", 3, b"?", ".xyz"))
    with pytest.raises(DataError, match="can be read as image"):
        new("mine", fill(workspace / "broken", 3, b"?"))
    with pytest.raises(DataError, match="too little data"):
        new("mine", fill(workspace / "little", 10))
    with pytest.raises(RecipeError, match="cannot have that name"):
        new("../mine", workspace)
    with pytest.raises(GenwrightError, match="needs a name and a place"):
        CliRunner().invoke(build(), ["new"], catch_exceptions=False)
    assert not (workspace / "recipes").exists()


def test_a_recipe_is_never_overwritten_unless_forced(workspace: Path) -> None:
    folder = fill(workspace / "inbox", 60)
    path = workspace / "recipes" / "mine.yaml"
    path.parent.mkdir()
    path.write_text("mine")
    with pytest.raises(RecipeError, match="already"):
        new("mine", folder)
    assert path.read_text() == "mine"
    new("mine", folder, "--force")
    assert load(path).name == "mine"


def test_editors_find_the_schema(workspace: Path) -> None:
    recipe = made(workspace, fill(workspace / "inbox", 60))
    first = (workspace / "recipes" / "mine.yaml").read_text().splitlines()[0]
    schema = (workspace / "recipes" / first.partition("$schema=")[2]).resolve()
    assert json.loads(schema.read_text())["properties"].keys() >= set(type(recipe).model_fields)
    result = CliRunner().invoke(build(), ["new", "--schema"])
    assert json.loads(result.stdout) == json.loads(schema.read_text())


@pytest.mark.long
@pytest.mark.usefixtures("team_server")
def test_run_takes_it_as_it_stands(workspace: Path) -> None:
    """With its own gates and racers; only the work is cut down, through --set, so that the test ends."""
    texts(workspace / "inbox", 220, "image", ".png")
    new("mine", workspace / "inbox")
    cut = ("train.budget={steps: 6}", "select.budget={steps: 6}", "train.rounds=1", "samples=32", "train.evaluate=2")
    sets = [part for one in cut for part in ("--set", one)]
    done = genwright(workspace, "run", "mine", "--json", *sets, limit=280)
    assert done.returncode in (0, 3), done.stderr[-2000:]  # 3: refused by its gates, as six steps deserve
    assert json.loads(done.stdout)["version"] == 1


def test_the_recipe_explains_every_line(workspace: Path) -> None:
    """Every key a newcomer meets has a comment beside or above it."""
    made(workspace, fill(workspace / "inbox", 200))
    lines = (workspace / "recipes" / "mine.yaml").read_text().splitlines()
    for number, line in enumerate(lines):
        if line and not line.startswith((" ", "#")):
            assert "#" in line or lines[number - 1].lstrip().startswith("#"), line
    assert yaml.safe_load("\n".join(lines))["accept"]


def said(name: str, place: Path, *more: str) -> str:
    return CliRunner().invoke(build(), ["new", name, "--from", str(place), *more], catch_exceptions=False).output


def test_it_says_how_data_is_read_and_shows_what_a_model_would_see(workspace: Path) -> None:
    out = said("faq", brought.prompts(workspace / "faq"), "--dry-run")
    assert "read as table: train.jsonl: 'completion' answers 'prompt'" in out
    assert "tokens of 72 items" in out
    assert re.search(r"item 1, as a model would see it ---\nWhat does .* do\?\n {2}->\n\w", out)
    assert re.search(r"the window of a model cuts \d% of the items, which is \d% of the text", out)
    assert "was not written" in out
    assert not (workspace / "recipes").exists()

    out = said("shapes", brought.captions(workspace / "shapes"))
    assert "could be read as files" in out
    sheet = Path(re.findall(r"as a model would see them: (.*)", out)[0])
    with Image.open(sheet) as picture:
        assert picture.width > 24 * 12
    assert load(workspace / "recipes" / "shapes.yaml").condition is not None


def test_all_that_is_left_out_is_named_when_asked(workspace: Path) -> None:
    place = brought.prompts(workspace / "faq") / "train.jsonl"
    place.write_text(place.read_text() + "broken\n{}\n")
    out = said("faq", place.parent, "--dry-run")
    assert "2 left out, e.g. 'train.jsonl:73'" in out
    assert "'train.jsonl:74'" not in out
    assert "'train.jsonl:74': it has no content" in said("faq", place.parent, "--dry-run", "--all")
    told = json.loads(said("faq", place.parent, "--dry-run", "--json"))
    assert (told["form"], told["items"], set(told["skipped"])) == ("table", 72, {"train.jsonl:73", "train.jsonl:74"})
    assert sum(told["tokens"].values()) == 72


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["wavs/{:03d}.wav"], "This is sound"),
        (["{:03d}.mid"], "ABC"),
        (["clips/{:03d}.MP4"], "ffmpeg"),
        (["{:03d}.glb", "{:03d}.txt", "more/{:03d}.stl"], "draw them as pictures"),
    ],
)
def test_kinds_that_are_to_come_are_recognised(workspace: Path, names: list[str], words: str) -> None:
    for number in range(20):
        for name in names:
            path = workspace / "in" / name.format(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"RIFF")
    if "sound" in words:
        (workspace / "in" / "metadata.csv").write_text("".join(f"{n:03d}|said {n}|said {n}\n" for n in range(20)))
        words += ", which cannot be learned from yet"
    with pytest.raises(DataError) as error:
        inspect(workspace / "in")
    assert words in str(error.value)
    assert ("said in metadata.csv" in str(error.value)) == ("sound" in words)


def test_near_duplicates_are_counted_above_all_across_the_split(workspace: Path) -> None:
    """Pictures twice, once a little darker: cleaning would leave one of each out."""
    folder = workspace / "in"
    folder.mkdir()
    for number in range(120):
        small = Image.fromarray(np.random.default_rng(number).integers(0, 255, (6, 6), dtype=np.uint8))
        large = small.resize((48, 48), Image.Resampling.BICUBIC)
        large.save(folder / f"{number}.png")
        if number < 40:
            large.point(lambda level: level * 0.9).save(folder / f"{number}-dark.png")
    found = inspect(folder)
    assert (found.compared, len(found.alike)) == (160, 40)
    proposal = Proposal("a", Origin.folder("in"), found, LAPTOP)
    split = proposal.split
    assert proposal.across
    for one, other in found.alike:
        assert {one.name, other.name} == {
            f"{one.name.partition('-')[0].removesuffix('.png')}{end}" for end in (".png", "-dark.png")
        }
        assert ((one, other) in proposal.across) == (split.side(one.place) != split.side(other.place))
    shown = CliRunner().invoke(build(), ["new", "mine", "--from", str(folder), "--dry-run"])
    assert "40 of the items are nearly the same as one before, and will be left out\n" in shown.output
    assert f"of {len(proposal.across)} of these pairs one is held out" in shown.output


def test_an_address_is_looked_at_and_stands_in_the_recipe(workspace: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    for place, data in enumerate(brought.pictures()):
        memory.pipe(f"/bucket/shapes/{place}.png", data)
    shown = CliRunner().invoke(build(), ["new", "mine", "--from", "memory://bucket/shapes"])
    assert shown.exit_code == 0, shown.output
    assert "72 items of kind image" in shown.output
    recipe = load(workspace / "recipes" / "mine.yaml")
    assert (recipe.sources[0].kind, recipe.sources[0].options["address"]) == ("remote", "memory://bucket/shapes")
    assert len(list(items(recipe, Workspace(workspace)))) == 72
    memory.rm("/bucket", recursive=True)
    secret = CliRunner().invoke(build(), ["new", "other", "--from", "https://me:word@example.org/x.zip"])
    assert isinstance(secret.exception, RecipeError)
    assert "a recipe is no place for a user name" in str(secret.exception)


def test_labels_of_few_items_are_named(workspace: Path) -> None:
    for kind, count in (("cats", 30), ("dogs", 30), ("a newt", 3)):
        fill(workspace / "in" / kind, count)
    assert "labels of fewer than 5 items, too few to learn: 'a newt' 3" in inspect(workspace / "in").notes
