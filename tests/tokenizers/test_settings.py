"""What stands beside a vocabulary (`anncestry.tokenizers.settings`)."""

import json

import pytest

from anncestry.tokenizers.settings import Settings


@pytest.mark.parametrize(("config", "added"), [({"added_tokens_decoder": {}}, {}), ({}, {"[E1]": 7})])
def test_added_tokens_are_read_where_the_settings_list_none_of_their_own(tmp_path, config, added):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "added_tokens.json").write_text(json.dumps({"[E1]": 7}))
    assert Settings.read(tmp_path).added == added
