"""Sentences that say what the numbers say, and no more."""

from anncestry.report.race.findings import budget_phrase, findings


def test_the_leader_the_next_and_the_best_baseline(race):
    assert findings(race) == [
        "On csv:R&D <data>.csv, with 2.0 s of training each, cnn leads: accuracy 98.6 % [98.2, 99.0].",
        "Next is mlp, 3.2 ± 0.5 points behind: more than the luck of seeds and test rows explains.",
        "The best baseline, logistic, gets 95.1 % [94.7, 95.5].",
        "lstm failed; the reasons are below.",
    ]


def test_what_cannot_be_distinguished_is_said(race):
    rows = race["ranking"]["standings"]
    rows[1]["tied"] = True
    assert "No other model can be told apart from it with 2 seeds." in findings(race)
    rows.insert(2, {**rows[1], "id": "rnn", "tied": False})
    assert "With 2 seeds, mlp is not distinguishable from it." in findings(race)


def test_one_seed_decides_nothing(race):
    for row in race["ranking"]["standings"]:
        row |= {"values": {"0": row["mean"]}, "behind_band": None, "tied": None}
    assert findings(race)[1] == "Next is mlp with 95.4 %; 1 seed cannot say whether the two differ."


def test_a_baseline_that_wins_is_named_as_such(race):
    row = race["ranking"]["standings"][2]
    row |= {"behind": -0.01, "behind_band": 0.005, "tied": False}
    assert findings(race)[2].endswith("better than every network here.")
    row["tied"] = True
    assert findings(race)[2].endswith("not distinguishable from the best network.")


def test_who_does_not_beat_the_simplest_baseline_is_not_said_to_lead(race):
    race["entrants"][3:] = race["entrants"][:2:-1]  # the majority class first, as races have it
    assert "leads" in findings(race)[0]
    row = race["ranking"]["standings"][3]
    row |= {"mean": 0.985, "low": 0.98, "high": 0.99, "behind": 0.001, "behind_band": 0.005, "tied": True}
    beaten = "no model is shown to beat majority (98.5 % [98.0, 99.0]); first is cnn: accuracy 98.6 % "
    beaten += "[98.2, 99.0]."
    assert findings(race)[0].endswith(beaten)
    row |= {"behind": -0.003, "tied": False}
    assert findings(race)[0].endswith(beaten)
    row |= {"behind": -0.003, "tied": None}  # one seed
    assert findings(race)[0].endswith(beaten)


def test_long_paths_are_not_in_sentences(race):
    race["data"]["name"] = "parallel:/a/very/long/path/to/train.en,/a/very/long/path/to/train.de"
    assert findings(race)[0].startswith("On parallel:train.en,train.de, with")


def test_a_race_cut_short_says_how_far_it_came(race):
    race["status"] = "interrupted"
    race["runs"] = race["runs"][:3]
    assert findings(race)[-1] == "The race was interrupted: 3 of 10 runs are here."


def test_nobody_finished(race):
    race["ranking"] = {"confidence": 0.95, "leader": None, "standings": [], "unfinished": []}
    assert findings(race)[0] == "No model finished a run on csv:R&D <data>.csv."


def test_budgets_in_words():
    empty = {"seconds": None, "params": None, "flops": None, "epochs": None}
    assert budget_phrase({**empty, "params": 50_000, "epochs": 10}) == (
        "10 passes over the training data and about 50 k parameters each"
    )
    assert budget_phrase({**empty, "flops": 1e12}) == "1 TFLOPs of training each"


def test_more_seeds_are_advised_where_they_would_tell(race):
    race["ranking"]["standings"][1]["tied"] = True
    assert findings(race)[-1] == "More seeds (--seeds 10) or more test rows would narrow the intervals."
    race["seeds"] = 10
    assert "More seeds" not in " ".join(findings(race))
