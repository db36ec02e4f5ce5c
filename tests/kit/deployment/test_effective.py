"""What a version says of its configuration: conf/, what its code sets over it, and Flink's defaults for the rest."""

from __future__ import annotations

from pathlib import Path

from jobkit.deployment.examiner import Examiner

from tests.kit import projects


def test_what_counts_is_recorded(tmp_path: Path) -> None:
    """What the code sets goes before conf/; a default is that of an option that neither has set, under any of its names."""
    project = projects.tiny(tmp_path / "tiny")
    code = "    env.get_checkpoint_config().set_tolerable_checkpoint_failure_number(7)\n    env.get_config().enable_object_reuse()\n"
    project.replace("src/tiny/pipeline.py", "    env.set_parallelism(1)\n", f"    env.set_parallelism(1)\n{code}")
    base = project.root / "conf" / "base.yaml"
    base.write_text(base.read_text() + "execution.checkpointing.tolerable-failed-checkpoints: 3\nstate.checkpoints.num-retained: 4\n")
    with Examiner(project.root, "local", projects.environment(TINY_NAME="tiny", SECRET="x"), {"parallelism.default": "2"}) as examiner:
        given, defaults = examiner.description["configuration"], examiner.description["defaults"]
    assert given["execution.checkpointing.tolerable-failed-checkpoints"] == "7"
    assert given["pipeline.object-reuse"] == "true"
    assert given["parallelism.default"] == "1", "env.set_parallelism"
    assert given["execution.checkpointing.interval"] == "30 s"
    assert given["state.checkpoints.num-retained"] == "4"
    assert "python.job-options" not in given, "the time zone of this machine"
    assert defaults["execution.checkpointing.max-concurrent-checkpoints"] == "1"
    assert defaults["python.fn-execution.bundle.time"] == "1000"
    assert "execution.checkpointing.num-retained" not in defaults, "it was set, under its old name"
    assert not given.keys() & defaults.keys()
