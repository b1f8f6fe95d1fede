"""The version of the package: pyproject.toml reads it here, and the newest entry of the changelog has it."""

__version__ = "0.9.0"
