"""Shared by all tests: shape checking on request, real data where it is, one thread per worker."""

import os
from pathlib import Path

import pytest
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shapes", action="store_true", help="check every annotated tensor shape at run time")


def pytest_configure(config: pytest.Config) -> None:
    # On tensors of a few numbers a second thread only waits for the first, on a busy machine for long.
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that tests start
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
