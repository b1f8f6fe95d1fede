import pytest

from anncestry.engine.native import library


@pytest.fixture(params=["avx512", "avx2", "0"])
def instructions(request, monkeypatch):
    """Runs a test with the kernels of each set of instructions, and with none: the plain twins."""
    wanted = request.param
    if wanted != "0" and wanted not in library.available_sets():
        pytest.skip(f"this processor has no {wanted}")
    monkeypatch.setenv(library.SWITCH, wanted)
    library.forget()
    if wanted != "0" and library.native() is None:
        pytest.skip(library.state())
    yield wanted
    monkeypatch.undo()
    library.forget()
