"""Stage: may the version become champion?"""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright import gate as library
from genwright.adapters.mlflow import Registry
from genwright.evaluate import evaluate
from genwright.records import Decision, Evaluation, ModelVersion, Round
from genwright.run import Run
from tasks.display import say


@task(name="gate", cache_policy=NO_CACHE)
def gate(run: Run, best: Round, challenger: ModelVersion) -> Decision:
    """The decision, against the champion scored now on the same evaluation set by the same code.

    Raises ServiceError or ModelError when there is a champion that cannot be read: then nothing is promoted.
    """
    assert best.evaluation is not None
    registry = Registry(run.workspace)
    champion = registry.champion(run.recipe.name)
    scored: Evaluation | None = None
    if champion is not None and champion.version == challenger.version:
        scored = best.evaluation
    elif champion is not None:
        say("gate", f"scoring the champion, version {champion.version}, on the same held-out items")
        scored = evaluate(registry.download(champion), run.dataset, run.recipe, run.settings)
    number = None if champion is None else champion.version
    decision = library.judge(best.evaluation, scored, run.recipe, champion_version=number)
    for verdict in decision.verdicts:
        say("gate", f"{'passed' if verdict.passed else 'failed'}: {verdict.reason}")
    return decision
