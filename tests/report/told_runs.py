"""Stored runs with what figures read beside hits: numbers of single streams, norms of clips, and logs."""

import json
from dataclasses import replace

import numpy as np
from msgspec.structs import replace as changed

from egonorm.methods import Rna, SourceOnly
from egonorm.report.data.runs import read_report_data
from egonorm.runs.config import predictions_of
from egonorm.runs.results import COMPLETE, find_runs, last_mean, read_rows, write_rows
from egonorm.runs.train_log import LOG
from stored_runs import plain_run, store

STEPS = (10, 20)


def report_data(out):
    return read_report_data(find_runs(out), last_mean(9), "last-mean:9")


def tell(out, run, measured, norms=None, log=None):
    """A run's folder. `measured` has values by domain and metric; `norms` a number a clip by domain and modality."""
    hits = {domain: [np.arange(20) < round(of.get("top1", 50.0) / 5)] * 2 for domain, of in measured.items()}
    folder = store(out, run, hits)
    rows = read_rows(folder)
    of_norms = {d: {f"mean_norm/{m}": float(np.mean(x)) for m, x in of.items()} for d, of in (norms or {}).items()}
    measured = {domain: of_norms.get(domain, {}) | of for domain, of in measured.items()}
    first = {row.domain: row for row in reversed(rows) if row.metric == "top1"}
    added = [
        changed(first[domain], step=step, metric=metric, value=value)
        for domain, of in measured.items()
        for metric, value in of.items()
        for step in STEPS
        if metric != "top1"
    ]
    told = {(row.domain, row.metric) for row in added}
    kept = [row for row in rows if row.metric != COMPLETE and (row.domain, row.metric) not in told]
    write_rows(folder, [*kept, *added, rows[-1]])
    for domain, of in (norms or {}).items():
        for step in STEPS:
            path = predictions_of(folder, step, domain)
            with np.load(path) as arrays:
                kept = {name: arrays[name] for name in arrays.files if not name.startswith("norms/")}
            own = {f"norms/{modality}": np.asarray(x, np.float32) for modality, x in of.items()}
            np.savez_compressed(path, **kept, **own)
    if log is not None:
        (folder / LOG).write_text(log if isinstance(log, str) else "".join(json.dumps(entry) + "\n" for entry in log))
    return folder


def tell_both(out, values, seeds=(0,), setting="dg1:D1:D2", modalities=None, **more):
    """Runs of Source Only and RNA on one shift; `values` has for each of them what it measured, by seed."""
    for method in (SourceOnly(), Rna()):
        for seed in seeds:
            run = plain_run(setting, method, seed)
            run = replace(run, net=run.net.choose(modalities)) if modalities else run
            tell(out, run, {setting.rpartition(":")[2]: values(method.name(), seed)}, **more)


def log_of(steps, norms, terms=("class",), accuracy=50.0, classes=None):
    """A log: the norm of each domain and modality grows by one a step, terms and accuracies stay."""
    entries = []
    for step in range(1, steps + 1):
        entry = {"step": step, "lr": 0.1, "terms": dict.fromkeys(terms, 2.0)}
        entry["norms"] = {name: start + step - 1 for name, start in norms.items()}
        if accuracy is not None:
            entry["accuracy"] = {name.rpartition("/")[0]: accuracy for name in norms}
        if classes and step % 2 == 0:
            entry["classes"] = classes
        entries.append(entry)
    return entries


def column(exhibit, name):
    """A column of an exhibit's numbers."""
    place = exhibit.header.index(name)
    return [row[place] for row in exhibit.rows]


def lines(exhibit, **wanted):
    """The rows with these values, as mappings."""
    rows = [dict(zip(exhibit.header, row, strict=True)) for row in exhibit.rows]
    return [row for row in rows if all(row[name.replace("_", " ")] == value for name, value in wanted.items())]
