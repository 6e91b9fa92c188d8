"""The report of `make mutants`: how a list of survivors is read, and what makes it an error."""

import pytest

from survivors import SURVIVORS, change, listed, verdict

LIST = """# Survivors

## losses/norm.py

They are equal.

```diff
-a + b
+a - b
+a * b
```

## metrics/norms.py

- no change, but an item

```diff
-f(x, y)
+
```
"""
CHANGES = {
    ("losses/norm.py", "a + b", "a - b"),
    ("losses/norm.py", "a + b", "a * b"),
    ("metrics/norms.py", "f(x, y)", ""),
}


def test_a_list_has_a_file_a_line_and_what_stands_there_instead():
    assert listed(LIST) == CHANGES


def test_a_diff_of_several_lines_is_one_change():
    diff = "--- src/a.py\n+++ src/a.py\n@@ -1,4 +1,3 @@\n def f(x):\n-    return g(x,\n-             y)\n+    return g(x)\n"
    assert change("a.py", diff) == ("a.py", "return g(x, y)", "return g(x)")


def test_every_entry_of_the_kept_list_is_of_a_line_that_exists():
    for file, before, _ in listed(SURVIVORS.read_text()):
        source = SURVIVORS.parents[1] / "src" / "egonorm" / file
        assert " ".join(before.split()) in " ".join(source.read_text().split()), f"{file} has no line {before!r}"


@pytest.mark.parametrize(
    ("killed", "survivors", "explained", "well"),
    [(18, 2, 2, True), (17, 3, 3, False), (18, 2, 1, False), (20, 0, 1, True)],
)
def test_it_is_well_with_nine_in_ten_noticed_and_the_others_explained(killed, survivors, explained, well):
    found = [("losses", "killed")] * killed + [("metrics", "survived")] * survivors
    changes = [("metrics/a.py", "x", str(k)) for k in range(3)]
    text, found_well = verdict(found, changes[:survivors], set(changes[:explained]))
    assert found_well == well
    assert f"all        {killed} of 20 mutants noticed, {5 * killed:.1f} %" in text
    assert ("Fewer than 90 %" in text) == (killed < 18)
    assert ("## metrics/a.py\n-x\n+1" in text) == (survivors > explained)
    assert ("take them out:\n## metrics/a.py\n-x\n+0" in text) == (explained > survivors)


def test_mutants_that_were_not_judged_are_an_error():
    text, well = verdict([("losses", "killed")] * 20 + [("losses", "not checked")], [], set())
    assert not well and "Not judged, run again: 1 not checked" in text
