"""What the runs came to: every figure, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .benchmark import Plan
from .contenders.contender import Contender
from .errors import BenchmarkError
from .latency import Pace
from .runs import COMMIT_SECONDS, PARTITIONS, Result

RESULTS = "results.json"


@dataclass
class Report:
    """All results, as they come.

    Attributes:
        document: What is written as JSON.
    """

    document: dict[str, Any]
    _results: list[Result] = field(default_factory=list)

    @classmethod
    def begin(  # noqa: PLR0913, PLR0917
        cls,
        plan: Plan,
        pace: Pace | None,
        contenders: Mapping[str, Contender],
        machine: Mapping[str, Any],
        session: Mapping[str, Any],
        earlier: Mapping[str, Any] | None = None,
        *,
        may_mix: bool = False,
    ) -> Report:
        """Begin with what is known before the first run.

        Args:
            plan: What will be measured.
            pace: How latency will be measured, or None.
            contenders: Who will run.
            machine: See `machine.describe`.
            session: See `sessions.session`.
            earlier: A document to which the runs are added.
            may_mix: Whether the earlier runs may have been made with other sources.

        Raises:
            BenchmarkError: When that was measured on another machine, in another way, or with other sources.
        """
        facts = {
            name: {"guarantee": each.guarantee, "output": each.contract.value, "workers": each.workers} for name, each in contenders.items()
        }
        settings = {
            "records": plan.records,
            "keys": list(plan.keys),
            "rounds": plan.rounds,
            "partitions": PARTITIONS,
            "commit_seconds": COMMIT_SECONDS,
            "latency_rate": pace.rate if pace else None,
            "latency_seconds": pace.seconds if pace else None,
            "limit_seconds": plan.seconds,
            "warm_up_seconds": plan.warm_up,
        }
        document = {"machine": dict(machine), "settings": settings, "sessions": [dict(session)], "contenders": facts, "runs": []}
        return cls(joined(earlier, document, may_mix=may_mix) if earlier else document)

    @property
    def has_errors(self) -> bool:
        """Whether a run has failed."""
        return any(result.error for result in self._results)

    def add(self, result: Result) -> None:
        """Add a run."""
        self._results.append(result)
        entry = {**asdict(result), "session": len(self.document.get("sessions", ()))}
        del entry["detail"]
        self.document["runs"].append(entry)

    def write(self, folder: Path) -> None:
        """Write all as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RESULTS).write_text(json.dumps(self.document, indent=1) + "\n", encoding="utf-8")


_MAY_DIFFER = ("keys", "rounds", "limit_seconds", "latency_rate", "latency_seconds")


def joined(earlier: Mapping[str, Any], later: Mapping[str, Any], *, may_mix: bool = False) -> dict[str, Any]:
    """Return an earlier document, ready for the runs of a later one.

    Args:
        earlier: What is there.
        later: What is to be added.
        may_mix: Whether they may have been made with different sources.

    Raises:
        BenchmarkError: When they cannot be compared.
    """
    old, new = _flat(earlier), _flat(later)
    different = [f"{name} was {old[name]}, and is {value}" for name, value in new.items() if name in old and old[name] != value]
    if different:
        raise BenchmarkError(
            "These runs cannot be added to those that are there: they were measured differently.",
            found="; ".join(different),
            remedy="Measure in the same way, or into another folder.",
        )
    sessions = [*earlier.get("sessions", []), *later["sessions"]]
    sources = {each["sources"]: each["commit"] for each in sessions}
    if not may_mix and (len(sources) > 1 or "sessions" not in earlier):
        raise BenchmarkError(
            "These runs cannot be added to those that are there: the kit or the benchmark has changed since.",
            found=", ".join(f"sources {digest} (commit {commit})" for digest, commit in sources.items()),
            remedy="Measure all of them again, without --add; or add --mixed, and the page will say so.",
        )
    settings = {**later["settings"], **{name: value for name, value in earlier["settings"].items() if value is not None}}
    settings["keys"] = list(dict.fromkeys([*earlier["settings"]["keys"], *later["settings"]["keys"]]))
    settings["rounds"] = max(earlier["settings"]["rounds"], later["settings"]["rounds"])
    pins = {**earlier["machine"]["contenders"], **later["machine"]["contenders"]}
    return {
        "machine": {**earlier["machine"], "contenders": pins},
        "settings": settings,
        "sessions": sessions,
        "contenders": {**earlier["contenders"], **later["contenders"]},
        "runs": list(earlier["runs"]),
    }


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what must be equal in documents whose runs are compared, by name."""
    machine = {name: value for name, value in document["machine"].items() if name != "contenders"}
    settings = {name: value for name, value in document["settings"].items() if name not in _MAY_DIFFER}
    return {**machine, **settings, **{f"{name}'s version": pins for name, pins in document["machine"]["contenders"].items()}}


def read(folder: Path) -> dict[str, Any] | None:
    """Return the document that is in a folder, or None."""
    file = folder / RESULTS
    document: dict[str, Any] | None = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    return document
