"""`python -m benchmarks`: measure the cases and write RESULTS.md and results.json; or check against those stored."""

import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import tyro

from benchmarks.case import Bench, Case, all_cases
from benchmarks.check import fallen
from benchmarks.machine import describe, kind
from benchmarks.others import Watch
from benchmarks.peers import Peers
from benchmarks.record import Record, Skip, Skipped
from benchmarks.results import Results, read_results, write_results

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Command:
    """Measure ours against public peers and against this machine's limit."""

    peer_i3d: Path | None = None
    """A checkout of piergiaj/pytorch-i3d."""
    peer_bn_inception: Path | None = None
    """A checkout of Cadene/pretrained-models.pytorch."""
    peer_tbn: Path | None = None
    """A checkout of ekazakos/temporal-binding-network."""
    peer_simmmdg: Path | None = None
    """A checkout of donghao51/SimMMDG."""
    only: tuple[str, ...] = ()
    """Cases to measure; all that are not long by default."""
    long: bool = False
    """Also the cases that take minutes."""
    repeats: int = 5
    """Repetitions of each measurement."""
    threads: int = 2
    """Threads of the networks."""
    out: Path = HERE
    """Where RESULTS.md and results.json are written."""
    add: bool = False
    """Keep what is stored there of other cases."""
    check: bool = False
    """Measure the quick cases, write nothing, and fail when a ratio is worse than the stored one."""
    work: Path | None = None
    """Where media are made and kept for the next time; by default a folder that is removed at the end."""

    @property
    def peers(self) -> Peers:
        """The checkouts."""
        return Peers(self.peer_i3d, self.peer_bn_inception, self.peer_tbn, self.peer_simmmdg)


def main(words: list[str] | None = None) -> int:
    """Do what the command says; 1 when a ratio has fallen or a name is unknown."""
    command = tyro.cli(Command, args=words)
    cases, unknown = all_cases(), set(command.only) - set(all_cases())
    if unknown:
        print(f"No such case: {', '.join(sorted(unknown))}. There are: {', '.join(cases)}.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        work = command.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        bench = Bench(command.peers, work, command.repeats, command.threads)
        chosen = [c for c in cases.values() if _wanted(c, command)]
        return _check(bench, chosen, command.out) if command.check else _measure(bench, chosen, command)


def _wanted(case: Case, command: Command) -> bool:
    if command.only:
        return case.name in command.only
    return case.quick if command.check else command.long or not case.long


def _measure(bench: Bench, cases: Iterable[Case], command: Command) -> int:
    """Measure and write, after each case anew: what was measured stands, whatever follows."""
    found = Results(describe(bench), (), ())
    before = read_results(command.out).get(kind()) if command.add else None
    for case in cases:
        records, skipped = run(bench, case)
        found = found.add(Results(found.machine, records, skipped))
        write_results(command.out, kind(), before.add(found) if before else found)
    return 0


def _check(bench: Bench, cases: list[Case], folder: Path) -> int:
    """Compare with what is stored; what has fallen is measured once more before it is called so."""
    stored = read_results(folder).get(kind())
    if stored is None:
        print(f"{folder} has no stored results of a processor with {kind()}: run make bench first.", file=sys.stderr)
        return 1
    first = {case.name: run(bench, case)[0] for case in cases}
    if not any(first.values()):
        print("Nothing could be compared.", file=sys.stderr)
        return 1
    worse = {name: found for name, records in first.items() if (found := fallen(records, stored.records))}
    worse = {c.name: found for c in cases if c.name in worse and (found := fallen(run(bench, c)[0], stored.records))}
    for falls in worse.values():
        print(*falls, sep="\n", file=sys.stderr)
    print("Ratios have fallen." if worse else "No ratio has fallen.")
    return 1 if worse else 0


def run(bench: Bench, case: Case) -> tuple[tuple[Record, ...], tuple[Skipped, ...]]:
    """The records of a case, told as they come; or why there are none, or no more."""
    records, start, watch = [], time.monotonic(), Watch()
    print(f"{case.name} ...", flush=True)
    try:
        for found in case.measure(bench):
            record = replace(found, detail=found.detail + watch.told())
            records.append(record)
            mark = {None: "", True: " goal met", False: " GOAL NOT MET"}[record.met]
            value = record.value
            print(f"  {record.what}: {value.middle:.3g} ({value.low:.3g} to {value.high:.3g}){mark}; {record.detail}")
    except Skip as skip:
        print(f"  skipped: {skip}")
        return tuple(records), (Skipped(case.name, str(skip)),)
    except Exception as error:  # one case's fault, whatever it is, must not end the others
        print(f"  failed: {type(error).__name__}: {error}")
        return tuple(records), (Skipped(case.name, f"failed with {type(error).__name__}: {error}"),)
    print(f"  {time.monotonic() - start:.0f} s", flush=True)
    return tuple(records), ()


if __name__ == "__main__":
    sys.exit(main())
