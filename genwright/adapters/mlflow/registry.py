"""The champion: which version it is, moved under a lock with a check, and back again, every step in the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from genwright.adapters.mlflow.versions import Versions
from genwright.core.durable import exclusive
from genwright.core.errors import ModelError, ServiceError
from genwright.core.workspace import Workspace
from genwright.lifecycle.ledger import Ledger, LedgerEntry, What
from genwright.lifecycle.records import Decision
from genwright.models.records import ModelVersion

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"
GATE = "genwright.gate"  # tag of a version: `passed`, or why not
HEAD = "genwright.ledger"  # tag of a model: SHA-256 of the newest line of its ledger


class Registry:
    """Which of a model's `versions` is the champion: the aliases `champion`, `previous` and `challenger`, and the ledger.

    MLflow has no compare-and-set for aliases; a kernel lock and a second look under it stand in, for all processes of one
    workspace. Every method raises ServiceError where MLflow does not answer or refuses.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.versions = workspace, Versions(workspace)
        self.mlflow = self.versions.mlflow

    def alias(self, name: str, alias: str) -> int | None:
        """The version an alias points to; None when there is none. Raises ServiceError when that cannot be read."""
        if self.mlflow.empty:
            return None
        with self.mlflow.service(f"reading the {alias} of {name}"):
            model = self.versions.model(name)
        number = None if model is None else model.aliases.get(alias)
        return None if number is None else int(number)

    def champion(self, name: str) -> ModelVersion | None:
        """The champion; None only when there is none. Where its alias names what Genwright did not register, it is the last
        one that the ledger knows of. Raises ServiceError when it cannot be read."""
        number = self.standing(name)
        return None if number is None else next((v for v in self.versions.of(name) if v.version == number), None)

    def standing(self, name: str) -> int | None:
        """The number of the champion."""
        number = self.alias(name, CHAMPION)
        if number is None or number not in self.versions.foreign(name):
            return number
        return self.ledger(name).champion

    def current(self, name: str) -> ModelVersion:
        """The champion. Raises ModelError where there is none, naming what there is."""
        champion = self.champion(name)
        if champion is not None:
            return champion
        there = self.versions.of(name)
        if not there:
            raise self.versions.unknown(name)
        newest = there[-1].version
        raise ModelError(
            f"{name} has {len(there)} version(s) but no champion.",
            do=f"`genwright promote {name} {newest}`, or ask for it with --version {newest}",
        )

    def ledger(self, name: str) -> Ledger:
        return Ledger.of(self.workspace, name)

    def note(self, name: str, what: What, **fields: Any) -> LedgerEntry:
        """Append to the ledger of a model, and keep the hash of the new line with the model."""
        ledger = self.ledger(name)
        entry = ledger.append(what, **fields)
        with self.mlflow.service("noting the ledger"):
            self.mlflow.client.set_registered_model_tag(name, HEAD, ledger.head)
        return entry

    def verify(self, name: str) -> list[str]:
        """What is wrong with the ledger of a model, a line each; nothing where it was only ever appended to."""
        with self.mlflow.service("reading a model"):
            model = self.versions.model(name)
        return self.ledger(name).verify(None if model is None else model.tags.get(HEAD))

    def challenge(self, version: ModelVersion) -> None:
        """Let `challenger` name a version that is being judged."""
        if self.standing(version.name) != version.version:
            with self.mlflow.service("naming the challenger"):
                self.mlflow.client.set_registered_model_alias(version.name, CHALLENGER, str(version.version))

    def prune(self, name: str, keep: int) -> list[ModelVersion]:
        """Remove versions beyond the newest `keep`, and say which. Never the champion, a champion of old, the challenger,
        or a version that waits for an answer: the ledger leads back to them."""
        ledger = self.ledger(name)
        aliased = {self.alias(name, alias) for alias in (CHAMPION, PREVIOUS, CHALLENGER)}
        needed = {*aliased, self.standing(name), *ledger.champions(), ledger.asked()}
        old = [version for version in self.versions.of(name)[:-keep] if version.version not in needed]
        for version in old:
            self.versions.delete(version)
            champion = self.standing(name)
            self.note(name, "pruned", before=champion, after=version.version, why=f"only the newest {keep} are kept")
        return old

    def refuse(self, version: ModelVersion, why: str, decision: Decision | None = None) -> None:
        """Note in the ledger that a version was not promoted; a refusal that is the last word already is not repeated."""
        ledger, before = self.ledger(version.name), self.standing(version.name)
        last = ledger.entries()[-1:]
        if [(e.what, e.before, e.after, e.why) for e in last] != [("refused", before, version.version, why)]:
            self.note(version.name, "refused", before=before, after=version.version, why=why, decision=decision)

    def ask(self, version: ModelVersion, decision: Decision | None = None) -> None:
        """Note in the ledger that a version waits for a person's answer."""
        ledger = self.ledger(version.name)
        if ledger.asked() != version.version:
            before = self.standing(version.name)
            why = "it passed the gate"
            self.note(version.name, "asked", before=before, after=version.version, why=why, decision=decision)

    def reject(self, version: ModelVersion, why: str, who: str) -> LedgerEntry:
        """Note in the ledger that a person does not want a version, once."""
        ledger = self.ledger(version.name)
        said = ledger.answered(version.version)
        before = self.standing(version.name)
        return said or self.note(version.name, "rejected", before=before, after=version.version, why=why, who=who)

    def former(self, name: str) -> ModelVersion | None:
        """The champion before this one: the ledger's, or what the alias `previous` names where the ledger does not know or was
        altered; None where there was none."""
        champion, line = self.standing(name), self.ledger(name).champions()
        known = line[-1:] == [champion] and len(line) > 1 and not self.verify(name)
        number = line[-2] if known else self.alias(name, PREVIOUS)
        return None if number in (None, champion) else self.versions.get(name, number)

    def fetch(self, version: ModelVersion) -> tuple[Path, dict[str, Path]]:
        """The files of a version and those of the versions that it pins, fetched anew and verified. Raises ModelError."""
        return self.versions.opened(version, fresh=True)

    def move_alias(
        self,
        version: ModelVersion,
        *,
        expected: int | None,
        why: str,
        decision: Decision | None = None,
        back: bool = False,
        who: str | None = None,
    ) -> LedgerEntry:
        """Make a version the champion, unseen. `expected` is the champion that was decided upon; when it has changed
        meanwhile the move is refused, the ledger says so, and ServiceError is raised. `back` marks a rollback."""
        name, client = version.name, self.mlflow.client
        with exclusive(self.workspace.lock(f"promote-{name}"), busy="", wait=True):
            before = self._settle(name)
            if before != expected:
                words = f"the champion is {_word(before)} now, the decision was made against {_word(expected)}"
                told = f"{words} ({why})"
                self.note(name, "refused", before=before, after=version.version, why=told, decision=decision)
                raise ServiceError(
                    f"{name} version {version.version} was not promoted: another promotion came first.",
                    got=words,
                    do="compare again with the champion there is now",
                )
            with self.mlflow.service("moving the champion"):
                client.set_registered_model_alias(name, CHAMPION, str(version.version))
            what: Literal["promoted", "rolled back"] = "rolled back" if back else "promoted"
            entry = self.note(name, what, before=before, after=version.version, why=why, decision=decision, who=who)
            self._tidy(name)
        return entry

    def settle(self, name: str) -> None:
        """Finish what a process that was killed half-way, or somebody by other means, has left: tell the ledger of a champion
        that it does not know of, and let no alias say what is over."""
        with exclusive(self.workspace.lock(f"promote-{name}"), busy="", wait=True):
            self._settle(name)
            self._tidy(name)

    def _settle(self, name: str) -> int | None:
        """The champion, of which the ledger knows afterwards."""
        named, champion, ledger = self.alias(name, CHAMPION), self.standing(name), self.ledger(name)
        known = ledger.champion
        why = "the alias was found moved: by other means, or by a process that ended before it wrote here"
        if named != champion:
            why = f"the alias names {_word(named)}, which was not registered by Genwright; {_word(champion)} counts"
        if champion != known or (named != champion and [entry.why for entry in ledger.entries()[-1:]] != [why]):
            self.note(name, "noticed", before=known, after=champion, why=why)
        return champion

    def _tidy(self, name: str) -> None:
        """No champion is a challenger any more, and `previous` names the champion before this one, for people and other
        workspaces; the ledger comes first."""
        if (challenger := self.alias(name, CHALLENGER)) is not None and challenger == self.standing(name):
            with self.mlflow.service("ending the challenge"):
                self.mlflow.client.delete_registered_model_alias(name, CHALLENGER)
        line = self.ledger(name).champions()
        if len(line) > 1 and self.alias(name, PREVIOUS) != line[-2]:
            with self.mlflow.service("noting the champion before"):
                self.mlflow.client.set_registered_model_alias(name, PREVIOUS, str(line[-2]))


def _word(number: int | None) -> str:
    return "none" if number is None else f"version {number}"
