"""Windows: where they may lie, how test windows are spread, and the frames that a span looks at."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from egonorm.data.windows import Span, even_windows, random_window

SPAN = Span(16, 2, 60.0)


@given(st.integers(0, 5000), st.integers(33, 900), st.integers(0, 10**6))
@settings(max_examples=200, deadline=None)
def test_a_window_lies_inside_an_action_that_is_longer(first, length, seed):
    window = random_window(first / 60, (first + length) / 60, SPAN, Random(seed))
    begin, end = round(window.start * 60), round(window.stop * 60)
    assert end - begin == 32
    assert begin >= max(first, 1)
    assert end <= max(first + length, 33)


@given(st.integers(40, 5000), st.integers(1, 32), st.integers(0, 10**6))
@settings(max_examples=200, deadline=None)
def test_the_centre_lies_inside_an_action_that_is_not(first, length, seed):
    window = random_window(first / 60, (first + length) / 60, SPAN, Random(seed))
    assert first <= round(window.start * 60) + 16 < first + length


def test_five_windows_divide_the_action():
    windows = even_windows(10.0, 12.0, SPAN, 5)
    centres = [round((w.start + w.stop) / 2 * 60) for w in windows]
    assert centres == [630, 645, 660, 674, 689] or centres == [630, 645, 660, 675, 690]
    assert all(w.start >= 10.0 and w.stop <= 12.0 for w in windows)


def test_times_are_the_middles_of_ticks():
    times = SPAN.times(1.0)
    assert len(times) == 16
    assert [int(t * 60) for t in times] == list(range(60, 92, 2))


def test_every_tick_can_be_drawn():
    begins = {round(random_window(1.0, 1.0 + 36 / 60, SPAN, Random(seed)).start * 60) for seed in range(200)}
    assert begins == {60, 61, 62, 63, 64}
