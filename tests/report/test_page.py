"""A whole page: written to a file, told in a terminal, shown in a notebook."""

import pytest

from anncestry.errors import UserError
from anncestry.report.page import Page, shell

PAGE = Page(shell("Inside", '<p class="lead">a "word"</p>'), ("One head.", "Two layers."))


def test_a_page_is_written_and_says_where(tmp_path):
    assert PAGE.write(tmp_path / "page.html").read_text(encoding="utf-8") == PAGE.html
    with pytest.raises(UserError, match=r"out: .* is not writable"):
        PAGE.write(tmp_path / "none" / "page.html", "--out")


def test_a_page_tells_its_facts():
    assert repr(PAGE) == "One head.\nTwo layers."


def test_a_notebook_shows_the_page_in_a_frame():
    shown = PAGE._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert 'class="lead"' not in shown
    assert "class=&quot;lead&quot;" in shown
