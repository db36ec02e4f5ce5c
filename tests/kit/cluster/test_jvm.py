"""What a cluster's processes inherit of this one's variables, and what they do not."""

from __future__ import annotations

from pathlib import Path

from jobkit.cluster import java, jvm


def test_nothing_of_another_flink_is_inherited(tmp_path: Path) -> None:
    """Neither its places nor the process that runs Python for a mini cluster; everything else is."""
    foreign = {"FLINK_HOME": "a", "_FLINK_HOME_DETERMINED": "b", "PYFLINK_GATEWAY_PORT": "c", "PYTHON_LOOPBACK_SERVER_ADDRESS": "d"}
    found = jvm.environment(java.find(), tmp_path, {**foreign, "KEPT": "e", "JAVA_TOOL_OPTIONS": "-Dkept=f"})
    assert not foreign.keys() & found.keys()
    assert found["KEPT"] == "e"
    assert found["JAVA_TOOL_OPTIONS"].endswith("-Dkept=f")
    assert found["TMPDIR"] == str(tmp_path)
