"""The tests and the picture of the rooms read the imports by one module."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
