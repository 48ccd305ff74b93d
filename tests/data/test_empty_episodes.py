"""Episodes of no steps are passed over and said; the others keep what the file calls them."""

import numpy as np
import pytest

from steadyhand.data.formats.empty import without_empty


def test_those_with_steps_keep_their_numbers() -> None:
    ends, numbers, remarks = without_empty([40, 40, 80, 81, 81])
    assert (ends.tolist(), numbers) == ([40, 80, 81], (0, 2, 3))
    assert remarks[0].message == "Episodes 1, 4 have no steps and are passed over."
    assert (remarks[0].kind, remarks[0].episode) == ("empty-episode", 1)
    ends, numbers, remarks = without_empty(np.array([0.0, 7.0]), (5, 9))
    assert (ends.tolist(), ends.dtype, numbers) == ([7], np.int64, (9,))
    assert remarks[0].message == "Episode 5 has no steps and is passed over."


@pytest.mark.parametrize(
    "ends", [[3, 5], [0, 0], [5, 3], [1.5, 2], [np.nan, 2], [1e300], [[1, 2]], ["a"], []]
)
def test_what_is_whole_or_wrong_stays_as_it_is(ends) -> None:
    found, numbers, remarks = without_empty(ends)
    np.testing.assert_array_equal(found, np.asarray(ends))
    assert (numbers, remarks) == ((), ())


def test_a_column_of_ends_is_a_list_of_them() -> None:
    assert without_empty(np.array([[3], [5]], np.uint8))[0].tolist() == [3, 5]
