"""Run the job."""

from jobkit.launch import launch

from .pipeline import build

if __name__ == "__main__":
    launch(build)
