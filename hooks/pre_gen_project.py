"""Refuse answers that would make a broken project, before any file is written.

The answers arrive as JSON in a string literal: whatever they hold, they are data here.
"""

from __future__ import annotations

import json
import keyword
import re
import sys
from typing import Any

# `tojson` writes quotes of both kinds, <, > and & so that none of them can end this literal.
ANSWERS: dict[str, Any] = json.loads(r"""{{ cookiecutter | tojson }}""")
RAW: dict[str, Any] = json.loads(r"""{{ _cookiecutter | default({}) | tojson }}""")

TAKEN = {
    "apache_beam",
    "conf",
    "flink",
    "jobkit",
    "kafka",
    "kit",
    "numpy",
    "pandas",
    "py4j",
    "pyarrow",
    "pyflink",
    "pytest",
    "sample",
    "tests",
}


def problem(answers: dict[str, Any], raw: dict[str, Any]) -> str | None:
    """Return what is wrong with the answers as a sentence, or None."""
    for name, answer in raw.items():
        if isinstance(answer, str) and "{" in answer and answer != EXPRESSIONS.get(name):
            return f"{name} must not hold braces; cookiecutter would read them as an expression: {answer!r}."
    name, slug, package = answers["project_name"], answers["__answered_slug"], answers["package_name"]
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9 ._-]{0,59}", name):
        return f"project_name must be up to 60 letters (A to Z), digits, spaces, dots and hyphens, a letter first: {name!r}."
    if not re.fullmatch(r"[a-z](-?[a-z0-9])*", slug) or len(slug) > 45:
        return f"project_slug must be up to 45 lower-case letters, digits and single hyphens, a letter first: {slug!r}."
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,44}", package):
        return f"package_name must be up to 45 lower-case letters, digits and underscores, a letter first: {package!r}."
    if keyword.iskeyword(package) or package in TAKEN or package in sys.stdlib_module_names:
        return f"package_name is a word or a module that Python or the job uses: {package!r}. Choose another, such as {package}_job."
    for text in ("description", "organisation"):
        answer = answers[text]
        if not answer.strip() or len(answer) > 200 or not answer.isprintable() or set('"\\{}<>`$') & set(answer):
            return f"{text} must be one line of up to 200 characters without double quotes, backslashes, braces, < > ` and $: {answer!r}."
    if not answers["__organisation_slug"]:
        return f"organisation must hold a letter or a digit: {answers['organisation']!r}."
    pythons = answers["_flink_versions"][answers["flink_version"]]["pythons"]
    if answers["python_version"] not in pythons:
        return f"Flink {answers['flink_version']} runs with Python {', '.join(pythons)}, not with {answers['python_version']}."
    return None


EXPRESSIONS = json.loads(
    r"""{{ {
        "project_slug": "{{ cookiecutter.project_name | slugify }}",
        "package_name": "{{ cookiecutter.project_slug | replace('-', '_') }}"
    } | tojson }}"""
)
"""The template's own defaults, which are expressions."""

if __name__ == "__main__":
    found = problem(ANSWERS, RAW)
    if found is not None:
        print(f"error: {found}", file=sys.stderr)
        sys.exit(1)
