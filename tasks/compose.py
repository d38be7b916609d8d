"""Stage: what the models of a recipe make together."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.adapters.mlflow.versions import Versions
from genwright.evaluation.evaluate import evaluate
from genwright.evaluation.records import Evaluation
from genwright.lifecycle.run import COMPOSITION, Run
from genwright.models import composition
from genwright.tasks.display import doing, say


@task(name="compose", cache_policy=NO_CACHE)
def compose(run: Run) -> Evaluation:
    """Write the composition of the versions that the run pins, and measure it as a whole; remembered for a repeated run."""
    folder = run.folder / COMPOSITION
    trained = [member.key for member in run.recipe.members if member.use is None]
    identity = composition.save(folder, run.cleaned, run.uses, trained, run.version.digest)
    known = run.recall("evaluation", Evaluation)
    if known is not None and known.model == identity:
        return known
    uses = Versions(run.workspace).folders(run.uses)
    samples = run.samples(None)
    with doing("compose"):
        evaluation = evaluate(folder, run.cleaned, run.member.evaluation, run.settings, uses=uses, samples=samples)
    values = ", ".join(f"{key} {m.value:.4g}" for key, m in evaluation.measures.items())
    say("compose", f"{' + '.join(run.uses)} on {len(run.cleaned.test)} held-out items: {values}")
    return run.keep("evaluation", evaluation)
