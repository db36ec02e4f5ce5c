"""The fixtures of jobkit: job, kafka, faults, sample and more; see the README."""

pytest_plugins = ["jobkit.testing.plugin"]
