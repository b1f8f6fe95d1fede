"""``python -m anncestry``, and ``torchrun -m anncestry``."""

from anncestry.cli.main import entry

if __name__ == "__main__":
    entry()
