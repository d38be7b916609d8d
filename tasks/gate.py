"""Stage: is the new version good enough, and better than the champion, both measured now?"""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright import __version__, evaluate
from genwright import gate as library
from genwright.adapters.mlflow import GATE, Registry
from genwright.plan import measure_of
from genwright.records import Decision, Evaluation, ModelVersion
from genwright.reread import Incomparable, reread
from genwright.run import Run
from tasks.display import say


@task(name="gate", cache_policy=NO_CACHE)
def gate(run: Run, version: ModelVersion, evaluation: Evaluation) -> Decision:
    """The decision. A champion that cannot be read or measured is an error, never a reason to promote."""
    registry = Registry(run.workspace)
    champion = registry.champion(version.name)
    if champion is None:
        decision = library.judge(evaluation, None, run.recipe)
    else:
        same = champion.weights == version.weights
        score = evaluation if same else _score(run, registry, champion)
        decision = library.judge(evaluation, score, run.recipe, champion_version=champion.version)
    failed = [verdict.reason for verdict in decision.verdicts if not verdict.passed]
    registry.tag(version, GATE, "; ".join(failed) if failed else "passed")
    for verdict in decision.verdicts:
        say("gate", f"{'passed' if verdict.passed else 'failed'}: {verdict.reason}")
    return decision


def _score(run: Run, registry: Registry, champion: ModelVersion) -> Evaluation:
    """The champion on the test items of this run, by this code; remembered for a repeated run."""
    name = f"champion-{champion.version}-evaluation"
    known = run.recall(name, Evaluation)
    if known is not None and known.model == champion.weights:
        return known
    folder = registry.download(champion)
    try:
        with reread(folder, run.dataset, run.folder) as dataset:
            return run.keep(name, evaluate.evaluate(folder, dataset, run.recipe, run.settings))
    except Incomparable as error:
        reason = f"{error.what}; only a person can decide"
        items = evaluate.evaluation_set(run.dataset, run.recipe)
        return Evaluation(
            model=champion.weights,
            evaluation_set=items,
            code=__version__,
            measures={},
            unmeasured={measure_of(run.recipe): reason},
        )
