"""The page: all of it there, everything inside it, counts that add up, and nothing in the data able to act."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pytest

from genwright.core.record import Part
from genwright.core.workspace import Settings, Workspace
from genwright.data import shards
from genwright.data.dataset import Dataset
from genwright.data.item import Item
from genwright.data.records import DatasetVersion
from genwright.data.shards import Shards
from genwright.evaluation.evaluate import evaluate
from genwright.evaluation.records import Evaluation
from genwright.lifecycle import gate
from genwright.lifecycle.records import Promoted
from genwright.models.records import ModelVersion, VersionFacts
from genwright.recipes.recipe import Recipe, parse
from genwright.reports import gallery, report
from genwright.reports.gallery import Exhibits, Shown
from genwright.reports.report import RunReport
from genwright.training.diagnose import diagnose
from genwright.training.fit import Fit
from genwright.training.records import RaceEntry, Round, Selection, TrainedModel
from tests import made
from tests.reports.browser import Page

SECTIONS = ("verdict", "samples", "next", "data", "race", "rounds", "nearest", "measures", "gates", "champion", "provenance")
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@dataclass(frozen=True)
class Made:
    """A run of one round on made data, up to the point where its page is written."""

    data: Dataset
    folder: Path
    trained: TrainedModel
    evaluation: Evaluation
    recipe: Recipe

    @cached_property
    def exhibits(self) -> Exhibits:
        return gallery.gather(
            self.folder / "bundle", self.data, self.recipe.members[0].evaluation, "cpu", self.evaluation.measures
        )

    def page(self, recipe: Recipe | None = None, what: str = "promoted", champion: int | None = 1) -> RunReport:
        recipe = recipe or self.recipe
        plan, digest = self.trained.plan, "3f2a9c.dir"
        decision = gate.judge(self.evaluation, None, recipe)
        entries = [
            RaceEntry(family=plan.candidate.family, dial=1, cost=plan.candidate.cost, verdict="won", reason="it won"),
            RaceEntry(family="diffusion", dial=8, cost=None, verdict="rejected", reason="needs more memory than there is"),
        ]
        return RunReport.model_validate(
            {
                "recipe": recipe,
                "data": DatasetVersion(recipe=recipe.name, digest=digest, path="clean", contents=self.data.contents),
                "selection": Selection(
                    winner=plan.candidate, measure=plan.measure, better="lower", table=entries, why="It had the lowest."
                ),
                "rounds": [
                    Round(
                        model=self.trained,
                        evaluation=self.evaluation,
                        diagnosis=diagnose(self.trained, self.evaluation, recipe.members[0], self.data),
                    )
                ],
                "best": 1,
                "version": ModelVersion(
                    name=recipe.name, version=1, weights=self.trained.weights, data=digest, recipe="feed", run="1234"
                ),
                "decision": decision,
                "promotion": Promoted.model_validate(
                    {"what": what, "version": 1, "champion": champion, "reason": decision.reason}
                ),
                "identity": "beef",
            }
        )

    def write(self, page: RunReport, exhibits: Exhibits | None = None) -> Page:
        path = report.write(self.folder / "report.html", page, self.data, exhibits or self.exhibits)
        return Page(path.read_text())


def run(root: Path, data: Dataset, family: str, given: dict[str, object]) -> Made:
    recipe = parse({"name": "tiny", "sources": [{"kind": "sklearn", "dataset": "digits"}], "samples": 32, **given})
    settings = Settings(workspace=root, threads=1, device="cpu")
    folder = root / "round-1"
    fit = Fit(data, made.plan(data, family), folder, settings, data="3f2a9c.dir")
    for _ in fit:
        pass
    return Made(data, folder, fit.result, evaluate(folder / "bundle", data, recipe.members[0].evaluation, settings), recipe)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("pictures")
    data = made.pictures(root / "clean")
    contents, label = data.contents, data.contents.columns["condition"]
    kept = sum(contents.splits.values())
    changed = {
        "collected": kept + 3,
        "dropped": {"near_duplicates": 2, "corrupt": 1},
        "licences": {"CC0": kept},
        "sources": {SCRIPT: kept},
        "columns": {**contents.columns, "condition": label.model_copy(update={"labels": [SCRIPT, *(label.labels or [])[1:]]})},
    }
    data.contents = contents.model_copy(update=changed)
    rows = [("near_duplicates", SCRIPT), ("near_duplicates", "b.png"), ("corrupt", "c.png")]
    fields = shards.schema(contents.names, "side", "rule", "reason")
    with Shards(data.folder, "quarantine", fields) as quarantine:
        for rule, name in rows:
            item = Item(name, {"content": b""}, source="s", licence="CC0", collected_at="2020")
            quarantine.add(shards.row(item, side="train", rule=rule, reason=f"{name} is {SCRIPT}"))
    return run(root, data, "gan", {"content": {"kind": "image", "size": [8, 8], "channels": 1}, "condition": "label"})


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("texts")
    options = {"vocab": 300, "length": 24}
    data = made.dataset(root / "clean", Part(kind="text", options=options))
    return run(root, data, "gpt", {"content": {"kind": "text", **options}})


def test_everything_is_there_and_inside(pictures: Made) -> None:
    page = pictures.write(pictures.page())
    assert set(SECTIONS) <= page.ids
    assert page.addresses
    assert all(address.startswith("data:") for address in page.addresses)
    assert "link" not in page.tags
    assert page.tags.count("svg") >= 2 + len(pictures.evaluation.measures)
    for name in pictures.evaluation.measures:
        assert name in page.words
    assert "tiny version 1 is the champion now" in page.words
    assert pictures.trained.weights in page.words
    assert "needs more memory than there is" in page.words


def test_counts_add_up_and_a_page_says_when_they_do_not(pictures: Made) -> None:
    page = pictures.page()
    kept = sum(page.data.contents.splits.values())
    assert f"{kept + 3} collected = {kept} kept + 3 dropped." in pictures.write(page).words
    assert "do not add up" not in pictures.write(page).words
    lost = page.data.contents.model_copy(update={"collected": kept + 4})
    wrong = page.model_copy(update={"data": page.data.model_copy(update={"contents": lost})})
    assert "do not add up" in pictures.write(wrong).words


def test_markup_in_data_does_not_act(pictures: Made) -> None:
    page = pictures.write(pictures.page())
    assert "script" not in page.tags
    assert page.handlers == []
    assert page.words.count(SCRIPT) >= 4  # a caption, a source, a dropped item's name, its reason


def test_samples_are_those_that_were_measured(pictures: Made) -> None:
    shown = pictures.exhibits
    assert len(shown.values) == 32
    pairs = pictures.evaluation.measures["copies"].detail["pairs"]
    closest = float(shown.nearest[0].note.split()[1])
    assert closest == pytest.approx(pairs[0][2], rel=0.01)
    distances = [float(pair.note.split()[1]) for pair in shown.nearest]
    assert distances == sorted(distances)


def test_a_refusal_names_the_bound_the_gap_and_the_key(pictures: Made) -> None:
    recipe = pictures.recipe.model_copy(update={"accept": parse_bounds({"novelty": {"at_least": 99.0}})})
    page = pictures.page(recipe, "refused", champion=None)
    assert page.verdict.startswith("tiny version 1 was refused because novelty is ")
    words = pictures.write(page).words
    assert "accept.novelty.at_least asks for 99" in words
    assert "genwright promote tiny 1 --why 'REASON'" in words
    assert "genwright rollback" not in words


def parse_bounds(bounds: dict[str, dict[str, float]]) -> object:
    content = {"kind": "image", "size": [8, 8], "channels": 1}
    return parse(
        {"name": "x", "content": content, "sources": [{"kind": "sklearn", "dataset": "digits"}], "accept": bounds}
    ).accept


def test_texts_are_shown_as_text(texts: Made) -> None:
    hostile = replace(texts.exhibits, samples=[Shown(before=SCRIPT), *texts.exhibits.samples])
    page = texts.write(texts.page(), hostile)
    assert "script" not in page.tags
    assert page.handlers == []
    assert SCRIPT in page.words
    assert page.addresses == []
    assert set(SECTIONS) - {"nearest"} <= page.ids
    assert "held-out items" in page.words  # both losses of a family with one player


def test_answers_stand_beside_what_was_asked(tmp_path: Path) -> None:
    options = {"vocab": 300, "length": 32}
    text = Part(kind="text", options=options)
    data = made.dataset(tmp_path / "clean", text, condition=text)
    done = run(tmp_path, data, "seq2seq", {"content": {"kind": "text", **options}, "condition": {"kind": "text", **options}})
    first = done.exhibits.answers[0]
    assert first.given is not None
    asked, right, row = data.test.columns["condition"], data.test.columns["content"], int(data.test.subset(1)[0])
    assert first.given.before == data.modalities["condition"].decode(asked.tokens(row))
    assert first.real.before == done.exhibits.content.decode(right.tokens(row))
    assert " ".join(first.given.before.split()) in done.write(done.page()).words


def test_a_picture_stands_beside_its_caption_where_it_has_one(tmp_path: Path) -> None:
    image, text = {"kind": "image", "size": [8, 8], "channels": 1}, {"kind": "text", "vocab": 300, "length": 24}
    data = made.dataset(
        tmp_path / "clean",
        Part(kind="image", options={"size": [8, 8], "channels": 1}),
        caption=Part(kind="text", options={"vocab": 300, "length": 24}),
        lack={"caption": 4},
    )
    done = run(tmp_path, data, "vae", {"columns": {"content": image, "caption?": text}})
    given = [pair.given.before if pair.given else None for pair in done.exhibits.answers]
    captions = data.test.columns["caption"]
    rows = data.test.subset(len(given)).tolist()
    assert given == [None if row % 4 == 0 else data.modalities["caption"].decode(captions.tokens(row)) for row in rows]
    page = done.write(done.page())
    assert all(" ".join(caption.split()) in page.words for caption in given if caption)
    assert page.words.count("nothing was given") == given.count(None)
    assert f"{data.contents.columns['caption'].missing} of the kept items have no caption." in page.words
    assert len([address for address in page.addresses if address.startswith("data:image/png")]) >= 2 * len(given)


def test_the_copied_passage_is_marked(texts: Made) -> None:
    measured = texts.evaluation.measures["copied_passage"]
    if not measured.detail:
        pytest.skip("the made model repeats nothing")
    copied = texts.exhibits.copied
    assert copied is not None
    assert copied.real.marked == measured.detail["text"]
    assert "mark" in texts.write(texts.page()).tags


@pytest.mark.parametrize("what", ["promoted", "champion already", "refused", "waits"])
def test_every_ending_is_one_plain_sentence(pictures: Made, what: str) -> None:
    verdict = pictures.page(what=what).verdict
    assert verdict.startswith("tiny version 1 ")
    assert verdict.count(". ") == 0
    assert verdict.endswith(".")


def test_the_page_is_written_once_and_anew_when_the_champion_changed(pictures: Made, tmp_path: Path) -> None:
    from genwright.adapters.mlflow.runs import Runs
    from genwright.adapters.mlflow.versions import Versions
    from genwright.lifecycle.run import Run
    from genwright.tasks.report import publish

    workspace, page, trained = Workspace(tmp_path), pictures.page(), pictures.trained
    facts = VersionFacts(weights=trained.weights, data=trained.data, recipe="feed", title=trained.plan.candidate.title)
    runs = Runs(workspace)
    nested = runs.round_run("tiny", runs.parent_run("tiny", "other"), trained.plan)
    bundle = pictures.folder / "bundle"
    Versions(workspace).register("tiny", bundle, run=nested, facts=facts, evaluation=pictures.evaluation)
    version = page.data.model_copy(update={"path": str(pictures.data.folder)})
    run = Run(page.recipe, page.recipe.members[0], version, workspace, Settings())
    made = publish(run, page)
    report_file = run.folder / "report.html"
    first = report_file.stat().st_mtime_ns
    assert (run.folder / made.samples).read_bytes()[:4] == b"\x89PNG"
    parent = runs.parent_run("tiny", run.identity)
    logged = {file.path for file in runs.mlflow.client.list_artifacts(parent, "report")}
    assert logged == {"report/report.html", f"report/{made.samples}"}

    assert publish(run, pictures.page(what="champion already")) == made
    assert report_file.stat().st_mtime_ns == first
    assert "is the champion now" in report_file.read_text()  # how it became champion is still told
    publish(run, pictures.page(what="refused", champion=7))
    assert "version 7 stays the champion" in report_file.read_text()
