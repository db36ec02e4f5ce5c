"""Tests of the template: its questions, its hooks, and the projects that come out."""
