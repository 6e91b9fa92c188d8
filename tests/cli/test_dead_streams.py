"""A stream whose medium is silent is told of when its run is judged, and its share of one answer is stored with the run."""

import csv

import numpy as np

from egonorm.cli import main
from egonorm.runs.results import find_runs, read_rows


def test_a_stream_of_zeros_is_told_of_and_marked(tmp_path, capsys):
    places = [(domain, split) for domain in ("home", "shop") for split in ("train", "test") for _ in range(12)]
    rows = [(f"c{k:03d}", f"v{k}", 0, 1, ("cut", "put", "take")[k % 3], *place) for k, place in enumerate(places)]
    with (tmp_path / "clips.csv").open("w") as file:
        csv.writer(file).writerows([("uid", "media", "start", "stop", "label", "domain", "split"), *rows])
    sound = np.random.default_rng(0).normal(size=(len(rows), 8)).astype(np.float32)
    uids = np.array([row[0] for row in rows])
    np.savez(tmp_path / "clips.npz", uids=uids, rgb=np.zeros_like(sound), audio=sound)
    words = [
        "--data",
        f"features:{tmp_path}/clips.npz",
        "--preset",
        "features",
        "--modalities",
        "rgb,audio",
        "--steps",
        "3",
    ]
    main(["train", *words, "--setting", "dg1:home:shop", "--device", "cpu", "--out", f"{tmp_path}/runs", "source-only"])
    told = capsys.readouterr().out
    for domain in ("home", "shop"):
        assert (
            f"not told from chance, on {domain}: rgb: 33.3 % where chance is 33.3 %, its mean norm is 0 where" in told
        )
    assert "100.0 % of its answers are one class" in told and "0.00 §" in told and "§ a stream that is dead" in told
    (folder,) = find_runs(tmp_path / "runs")
    shares = [row.value for row in read_rows(folder) if row.metric == "answer_share/rgb"]
    assert shares and set(shares) == {100.0}
