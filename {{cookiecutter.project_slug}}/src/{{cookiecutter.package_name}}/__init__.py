"""The {{ cookiecutter.project_name }} job."""
