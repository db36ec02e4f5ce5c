"""What is wrong with a configuration, or cannot be known; every mistake at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .configuration import Configuration
    from .known_options import Option, Options


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a configuration, or that cannot be known.

    Attributes:
        key: The configuration key, or an empty text when a whole file is meant.
        kind: `not-readable`, `not-a-map`, `no-value`, `conflict`, `unknown-key`, `wrong-type`, `old-key` or `open-family`.
        message: What was found.
        remedy: What to write instead.
        origin: File and line, such as `conf/prod.yaml:12`.
    """

    key: str
    kind: str
    message: str
    remedy: str
    origin: str

    @property
    def is_wrong(self) -> bool:
        """False for what nobody can judge here: a key that another program or plug-in reads."""
        return self.kind != "open-family"

    def to_json(self) -> dict[str, str]:
        """Return the finding as JSON."""
        return {
            "key": self.key,
            "kind": self.kind,
            "status": "fail" if self.is_wrong else "unknown",
            "message": self.message,
            "remedy": self.remedy,
            "origin": self.origin,
        }


def check(configuration: Configuration, options: Options) -> list[Finding]:
    """Return all that is wrong with a configuration or that cannot be known, in the order of its files."""
    findings = [*configuration.findings]
    for key in configuration.entries:
        findings.extend(_check_key(configuration, options, key))
    return findings


def _check_key(configuration: Configuration, options: Options, key: str) -> Iterator[Finding]:
    entry = configuration.entries[key]
    option = options.find(key)
    if option is None:
        yield _unlisted(options, key, entry.origin)
        return
    if option.key != key and key in options.old:
        yield _old(configuration, options, option, key)
    problem = options.problem(option, key, entry.value)
    if problem is not None:
        said = "" if options.is_sensitive(key) else f" Flink says: {problem.rstrip('.')}."
        message = f"{options.shown(key, entry.value)!r} is no value for {key}.{said}"
        yield Finding(key, "wrong-type", message, f"Write {options.expected(option)}.", entry.origin)


def _old(configuration: Configuration, options: Options, option: Option, key: str) -> Finding:
    entry = configuration.entries[key]
    same = {name: other.value for name, other in configuration.entries.items() if options.find(name) is option}
    rival = next((name for name, value in same.items() if value != entry.value), None)
    if rival is None:
        return Finding(key, "old-key", f"{key} is an old name.", f"Write {option.key} instead.", entry.origin)
    winner = options.winner(same, option)
    takes = f"; Flink takes {winner}" if winner else ""
    message = f"{key} is an old name of {option.key}, and {rival} ({configuration.origin(rival)}) gives another value{takes}."
    return Finding(key, "conflict", message, f"Keep {option.key} only.", entry.origin)


def _unlisted(options: Options, key: str, origin: str) -> Finding:
    reader = options.family(key)
    if reader is not None:
        return Finding(key, "open-family", f"Flink cannot check {key}: {reader}.", "Check it where it is read.", origin)
    nearest = options.nearest(key)
    if nearest is not None:
        return Finding(key, "unknown-key", f"Flink has no option {key}.", f"Perhaps {nearest}.", origin)
    if key in options.elsewhere:
        message = f"{key} is an option of a table or connector ({options.elsewhere[key]}); Flink does not read it from here."
        return Finding(key, "unknown-key", message, "Give it where the table or connector is made.", origin)
    first = key.split(".", maxsplit=1)[0]
    if any(known.split(".")[0] == first for known in options.known):
        return Finding(key, "unknown-key", f"Flink has no option {key}.", "Remove it; Flink ignores it.", origin)
    message = f"Flink has no option that begins with {first}; a plug-in of yours may read {key}."
    return Finding(key, "open-family", message, "Check it where it is read, or remove it.", origin)
