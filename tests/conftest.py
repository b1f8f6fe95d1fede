"""Shared by all tests: shape checking on request, real data where it is, one thread per worker."""

import os
from pathlib import Path

import pytest
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shapes", action="store_true", help="check every annotated tensor shape at run time")


def pytest_configure(config: pytest.Config) -> None:
    # Workers share the cores; more threads than cores only wait for each other.
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
    if config.getoption("--shapes"):
        from jaxtyping import install_import_hook

        install_import_hook(["anncestry.layers", "anncestry.models"], "beartype.beartype")


@pytest.fixture(autouse=True)
def _own_random_state():
    """No test sees the random numbers of another."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data sets beside the checkout."""
    if not (SHARED / "data").is_dir():
        pytest.skip("needs the real data sets in ../shared/data")
    return SHARED / "data"
