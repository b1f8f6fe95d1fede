from anncestry.report.rows import html_table, text_table

HEAD, ROWS = ("layer", "weights"), [("a <b>", "5"), ("c", "1,000")]


def test_names_stand_left_and_numbers_right():
    assert text_table(HEAD, ROWS) == "layer  weights\na <b>        5\nc        1,000"
    assert text_table(HEAD, ROWS, left=2) == "layer  weights\na <b>  5\nc      1,000"


def test_cells_are_plain_text_in_a_notebook():
    made = html_table("2 > 1", HEAD, ROWS)
    assert made.startswith('<table><caption style="text-align: left">2 &gt; 1</caption><thead><tr>')
    assert '<td style="text-align: left">a &lt;b&gt;</td><td style="text-align: right">5</td>' in made
    assert made.count("<tr>") == 3
