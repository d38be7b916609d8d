"""Stage: is the new version good enough, and better than the champion, both measured now?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright import __version__
from genwright.adapters.dvc.data import Data
from genwright.adapters.mlflow.lineage import tainted
from genwright.adapters.mlflow.registry import GATE, Registry
from genwright.core.errors import DataError
from genwright.data.dataset import Dataset
from genwright.evaluation import evaluate
from genwright.evaluation.bounds import GateVerdict
from genwright.evaluation.crossed import pooled
from genwright.evaluation.records import Evaluation
from genwright.lifecycle import gate as library
from genwright.lifecycle.records import Decision
from genwright.lifecycle.run import Run
from genwright.models import bundle
from genwright.models.records import ModelVersion
from genwright.models.reencode import Incomparable, reread
from genwright.tasks.display import doing, say


@task(name="gate", cache_policy=NO_CACHE)
def gate(run: Run, version: ModelVersion, evaluation: Evaluation) -> Decision:
    """The decision. A champion that cannot be read or measured is an error, never a reason to promote."""
    registry = Registry(run.workspace)
    registry.challenge(version)
    champion = registry.champion(version.name)
    if champion is None:
        decision = library.judge(evaluation, None, run.recipe)
    else:
        same = champion.weights == version.weights
        with doing("gate"):
            score = evaluation if same else _score(run, registry, champion, evaluation)
            memory = None if same else _memory(run, registry, version, champion, evaluation)
        known = tainted(registry, champion)
        retired = (
            f"the champion learned from what is to be forgotten ({', '.join(entry.name for entry in known)})" if known else None
        )
        decision = library.judge(
            evaluation, score, run.recipe, champion_version=champion.version, memory=memory, retired=retired
        )
    failed = [verdict.reason for verdict in decision.verdicts if not verdict.passed]
    registry.versions.tag(version, GATE, "; ".join(failed) if failed else "passed")
    for verdict in decision.verdicts:
        say("gate", f"{'passed' if verdict.passed else 'failed'}: {verdict.reason}")
    return decision


def _score(run: Run, registry: Registry, champion: ModelVersion, evaluation: Evaluation) -> Evaluation:
    """The champion on the test items of this run, by this code; remembered for a repeated run."""
    name = f"champion-{champion.version}-evaluation"
    known = run.recall(name, Evaluation)
    if known is not None and known.model == champion.weights:
        return known
    folder, uses = registry.versions.opened(champion)
    try:
        parts = [_part(run, bundle.fold(folder, fold), dataset, uses) for fold, dataset in enumerate(run.folds)]
        return run.keep(name, pooled(parts))
    except Incomparable as error:
        reason = f"{error.what}; only a person can decide"
        return Evaluation(
            model=champion.weights,
            evaluation_set=evaluation.evaluation_set,
            code=__version__,
            compared_by=evaluation.compared_by,
            measures={},
            unmeasured={evaluation.compared_by: reason},
        )


def _part(run: Run, folder: Path, dataset: Dataset, uses: Mapping[str, Path]) -> Evaluation:
    """What the champion, or that of its models which has not seen this part, does on it."""
    if not folder.is_dir():
        raise Incomparable(f"it was not cross-validated in {run.recipe.split.folds} parts")
    with reread(folder, dataset, run.folder) as read:
        return evaluate.evaluate(folder, read, run.member.evaluation, run.settings, uses=uses)


def _memory(
    run: Run, registry: Registry, version: ModelVersion, champion: ModelVersion, evaluation: Evaluation
) -> GateVerdict | None:
    """Both on what was held out when the champion was made; None where those are the test items of this run. An earlier
    data version that is gone fails, so that only a person can decide."""
    if champion.data == run.version.digest:
        return None
    spec = run.member.evaluation
    name, measure = f"memory-{version.version}-{champion.version}", library.memory_of(evaluation.compared_by)
    known = run.recall(name, GateVerdict)
    if known is not None:
        return known
    try:
        earlier = Dataset(Data(run.workspace).export(run.recipe.name, champion.data), run.member.view)
        if evaluate.evaluation_set(earlier, spec) == evaluate.evaluation_set(run.cleaned, spec):
            return None
        scores = []
        part = min(1.0, len(earlier.test) / max(1, len(run.cleaned.test)))
        for model, share in ((version, part), (champion, 1.0)):
            folder, uses = registry.versions.opened(model)
            with reread(folder, earlier, run.folder) as dataset:
                scores.append(evaluate.evaluate(folder, dataset, spec, run.settings, only={measure}, share=share, uses=uses))
    except (DataError, Incomparable) as error:
        return GateVerdict(name=library.MEMORY, passed=False, reason=f"{error.what}; only a person can decide")
    return run.keep(name, library.remembers(scores[0], scores[1]))
