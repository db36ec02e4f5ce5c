"""Answers that would make a broken project are refused in a sentence, and nothing stays behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HOSTILE = [
    ("project_name", 'a"b'),
    ("project_name", "it's"),
    ("project_name", 'x"""\nraise SystemExit'),
    ("project_name", "x''' + __import__('os').abort() + '''"),
    ("project_name", "back\\slash"),
    ("project_name", "back\\"),
    ("project_name", "two\nlines"),
    ("project_name", "bell\a"),
    ("project_name", "{braces}"),
    ("project_name", "{{ 7 * 7 }}"),
    ("project_name", "{% raw %}"),
    ("project_name", "Flüge"),
    ("project_name", "航班"),
    ("project_name", "x" * 61),
    ("project_name", " "),
    ("project_slug", "Flight-Delays"),
    ("project_slug", "flight_delays"),
    ("project_slug", "2fast"),
    ("project_slug", "a--b"),
    ("project_slug", "a/b/c"),
    ("project_slug", "../../outside"),
    ("project_slug", "/absolute"),
    ("project_slug", ""),
    ("project_slug", "."),
    ("project_slug", "x" * 46),
    ("package_name", "flight-delays"),
    ("package_name", "class"),
    ("package_name", "json"),
    ("package_name", "pyflink"),
    ("package_name", "jobkit"),
    ("package_name", "tests"),
    ("package_name", "Flights"),
    ("package_name", "a.b"),
    ("package_name", "../outside"),
    ("package_name", ""),
    ("description", 'say "x"'),
    ("description", "two\nlines"),
    ("description", "back\\slash"),
    ("description", "{{ cookiecutter }}"),
    ("description", "`command`"),
    ("description", "\u202eright to left"),
    ("description", ""),
    ("organisation", 'a"b'),
    ("organisation", "---"),
    ("organisation", "$(HOME)"),
]


def generate(folder: Path, template: Path, config: Path, *answers: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run cookiecutter as a user does, in an empty folder."""
    command = [str(Path(sys.executable).with_name("cookiecutter")), str(template), "--config-file", str(config)]
    arguments = [] if typed is not None else ["--no-input", *answers]
    return subprocess.run(command + arguments, cwd=folder, input=typed, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("question", "answer"), HOSTILE)
def test_bad_answer_is_refused(tmp_path: Path, clean_template: Path, cookiecutter_config: Path, question: str, answer: str) -> None:
    """One sentence names the question and the answer; the folder is as empty as before."""
    folder = tmp_path / "folder"
    folder.mkdir()
    done = generate(folder, clean_template, cookiecutter_config, f"{question}={answer}")
    assert done.returncode == 1
    [sentence] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert sentence.startswith(f"error: {question} ")
    assert list(tmp_path.rglob("*")) == [folder]


@pytest.mark.parametrize(("flink", "python"), [("1.20", "3.12")])
def test_pair_that_does_not_exist_is_refused(
    tmp_path: Path, clean_template: Path, cookiecutter_config: Path, flink: str, python: str
) -> None:
    """A Python that the Flink version does not support is refused with those that it does."""
    done = generate(tmp_path, clean_template, cookiecutter_config, f"flink_version={flink}", f"python_version={python}")
    assert done.returncode == 1
    assert f"Flink {flink} runs with Python 3.10, 3.11, not with {python}." in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_existing_folder_is_left_alone(tmp_path: Path, clean_template: Path, cookiecutter_config: Path) -> None:
    """A folder of that name is refused, and keeps what it holds."""
    file = tmp_path / "flight-delays" / "notes"
    file.parent.mkdir()
    file.write_text("mine")
    done = generate(tmp_path, clean_template, cookiecutter_config)
    assert done.returncode == 1
    assert "already exists" in done.stdout + done.stderr
    assert list(file.parent.iterdir()) == [file]


def test_typed_answers_are_data(tmp_path: Path, clean_template: Path, cookiecutter_config: Path) -> None:
    """What is typed at a prompt is never an expression."""
    typed = "Flight Delays\n\n\n{{ 7 * 7 }}\n\n\n\n" + "\n"
    done = generate(tmp_path, clean_template, cookiecutter_config, typed=typed)
    assert done.returncode == 1
    assert "error: description " in done.stderr
    assert "'{{ 7 * 7 }}'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_next_steps_are_printed(tmp_path: Path, clean_template: Path, cookiecutter_config: Path) -> None:
    """A new project says what to do next, by its own names."""
    done = generate(tmp_path, clean_template, cookiecutter_config, "project_name=Wait Times")
    assert done.returncode == 0, done.stderr
    assert [word in done.stdout for word in ("cd wait-times", "make setup", "make run", "src/wait_times")] == [True] * 4
