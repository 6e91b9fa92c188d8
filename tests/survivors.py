"""What `make mutants` says in the end: the share of mutants that the tests notice, and the survivors that are not explained.

A mutant is a function with one small change. `mutmut run` has tested each; `SURVIVORS.md`, beside this file, lists the changes
that no test notices, with why they do not matter. Below the smallest share, or with a survivor that is not listed, this
program ends with an error. It is run from the root of the repository.
"""

from collections import Counter
from pathlib import Path

SMALLEST_SHARE = 90.0
SURVIVORS = Path(__file__).with_name("SURVIVORS.md")
NOTICED = {"killed", "timeout", "segfault"}
UNNOTICED = {"survived", "no tests"}

Change = tuple[str, str, str]
"""A file, the lines that a mutant changes, and what it has in their place; several lines are joined by a space."""


def change(file: str, diff: str) -> Change:
    """The change that a unified diff describes."""
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    before, after = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return file, before.strip(), after.strip()


def listed(text: str) -> set[Change]:
    """The changes in a list such as `SURVIVORS.md`: under `## file`, a line `-before`, and for each mutant a line `+after`."""
    changes, file, before = set(), "", ""
    for line in text.splitlines():
        if line.startswith("## "):
            file = line[3:].strip()
        elif line.startswith("-") and not line.startswith("- "):
            before = line[1:].strip()
        elif line.startswith("+"):
            changes.add((file, before, line[1:].strip()))
    return changes


def shares(found: list[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """Of pairs of a folder and what became of a mutant: how many were noticed, and of how many, by folder and for all."""
    noticed, total = Counter(), Counter()
    for folder, status in found:
        for name in (folder, "all"):
            noticed[name] += status in NOTICED
            total[name] += 1
    return {name: (noticed[name], total[name]) for name in (*sorted(total.keys() - {"all"}), "all")}


def verdict(found: list[tuple[str, str]], survivors: list[Change], explained: set[Change]) -> tuple[str, bool]:
    """What is to be said, and whether it is well."""
    lines = [f"{name:10} {k} of {n} mutants noticed, {100 * k / n:.1f} %" for name, (k, n) in shares(found).items()]
    if unjudged := Counter(status for _, status in found if status not in NOTICED | UNNOTICED):
        lines.append("Not judged, run again: " + ", ".join(f"{n} {status}" for status, n in unjudged.items()))
    if new := [survivor for survivor in survivors if survivor not in explained]:
        lines.append(f"{len(new)} survivors are not in {SURVIVORS.name}; add a test, or list them with the reason:")
        lines += [f"## {file}\n-{before}\n+{after}" for file, before, after in new]
    if not unjudged and (gone := explained - set(survivors)):
        lines.append(f"{len(gone)} entries of {SURVIVORS.name} that are noticed by now, or gone; take them out:")
        lines += [f"## {file}\n-{before}\n+{after}" for file, before, after in sorted(gone)]
    noticed, total = shares(found)["all"]
    if 100 * noticed < SMALLEST_SHARE * total:
        lines.append(f"Fewer than {SMALLEST_SHARE:g} % are noticed.")
    return "\n".join(lines), not unjudged and not new and 100 * noticed >= SMALLEST_SHARE * total


def main() -> None:
    """Read what `mutmut run` has left in the folder `mutants`."""
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code
    from mutmut.utils.file_utils import walk_mutatable_files

    found, survivors = [], []
    for path in sorted(walk_mutatable_files()):
        file = path.relative_to("src/egonorm")
        results = SourceFileMutationData(path=path)
        results.load()
        for mutant, exit_code in results.exit_code_by_key.items():
            status = status_by_exit_code[exit_code]
            found.append((file.parts[0], status))
            if status in UNNOTICED:
                survivors.append(change(str(file), get_diff_for_mutant(mutant, path=path)))
    text, well = verdict(found, survivors, listed(SURVIVORS.read_text()))
    print(text)
    raise SystemExit(not well)


if __name__ == "__main__":
    main()
