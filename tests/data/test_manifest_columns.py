"""Clips by column: they are the clips that were given, whatever is asked of them, and the digest is what it always was."""

import hashlib
import pickle
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from egonorm.core import DataError
from egonorm.data.manifest import ROWS, Clip, Manifest, clip_table

names = st.text(st.characters(), max_size=8)
"""Any characters, lone surrogates too: names of files that are not UTF-8 hold them."""


@st.composite
def clips(draw) -> tuple[Clip, ...]:
    uids = draw(st.lists(names, unique=True, max_size=6))
    times = st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)).map(sorted).filter(lambda pair: pair[0] < pair[1])
    return tuple(
        Clip(
            uid,
            draw(names),
            *draw(times),
            draw(st.sampled_from(["cut", "pour's", 'a "b"', "ö"])),
            draw(st.sampled_from(["D1", "D2", "Küche"])),
            draw(st.sampled_from(["train", "test"])),
        )
        for uid in uids
    )


CLASSES = ("cut", "pour's", 'a "b"', "ö")


@pytest.mark.slow
@given(clips())
def test_a_table_is_the_clips_that_it_was_made_of(made):
    table = clip_table(iter(made))
    assert len(table) == len(made) and table == made and made == table and tuple(table) == made
    assert [table[k] for k in range(-len(made), len(made))] == [*made, *made]
    assert table[1:3] == made[1:3] and table[::-2] == made[::-2] and table[5:2] == ()
    assert pickle.loads(pickle.dumps(table)) == made


@given(clips())
def test_a_digest_is_that_of_the_clips_in_words(made):
    words = repr((CLASSES, sorted(made, key=lambda clip: clip.uid)))
    assert Manifest(made, CLASSES).digest() == hashlib.sha256(words.encode()).hexdigest()[:16]


@pytest.mark.slow
@given(clips())
def test_choosing_by_columns_and_clip_by_clip_is_the_same(made):
    manifest = Manifest(made, CLASSES)
    chosen = manifest.within({"train": ["D1", "Küche"], "test": ["D2"]})
    assert chosen.clips == tuple(c for c in made if c.domain in (("D1", "Küche") if c.split == "train" else ("D2",)))
    assert chosen == manifest.keep(lambda c: (c.domain == "D2") == (c.split == "test"))
    assert chosen.domains == tuple(sorted({clip.domain for clip in chosen.clips}))
    assert manifest.select(["D1", "nowhere"], "test").clips == tuple(
        c for c in made if (c.domain, c.split) == ("D1", "test")
    )
    lost = {clip.uid for clip in made[::2]}
    assert manifest.without(lost).clips == tuple(clip for clip in made if clip.uid not in lost)
    assert manifest.rows_of("D2").tolist() == [k for k, clip in enumerate(made) if clip.domain == "D2"]
    assert [manifest.label_of(clip) for clip in made] == [CLASSES.index(clip.label) for clip in made]


def many(count=2 * ROWS + 3) -> tuple[Clip, ...]:
    return tuple(Clip(f"c{k}", f"v{k % 7}", 0.5 * k, 0.5 * k + 1, "cut", f"D{k % 3}", "train") for k in range(count))


def test_more_clips_than_are_objects_at_a_time():
    made = many()
    table = clip_table(made)
    assert table == made and table[ROWS : ROWS + 2] == made[ROWS : ROWS + 2] and table[-1] == made[-1]
    with pytest.raises(IndexError):
        table[len(made)]
    assert table != made[:-1] and table != (*made[:-1], replace(made[-1], start=0.0)) and table != list(made)


def test_a_text_is_stored_once_however_many_rows_have_it():
    assert len(clip_table(many()).media.bounds) == 7 + 1
    media = clip_table(many()).take(torch.tensor([8, 1, 15])).media
    assert media.tolist() == ["v1"] * 3 and media.found() == media.found(times=3) == ["v1"] and not media.found(times=4)


def test_repeated_uids_are_told():
    made = many(20)
    with pytest.raises(DataError, match="got:      c3, c4, c5, c6, c7 and 12 more"):
        Manifest((*made, *made[3:], *made[5:]), ("cut",))
    assert Manifest((), ("cut",)).domains == () and len(Manifest((), ())) == 0
