"""Messages: they say what is wrong in plain text, whatever was in the names."""

from steadyhand.errors import LONGEST_MESSAGE, DataError, MissingExtraError, UsageError, unknown


def test_a_message_never_steers_the_terminal() -> None:
    said = str(UsageError("There is no '\x1b[2Jrun\u202egnp.\x00'.\nUse another."))
    assert said == "There is no '\\x1b[2Jrun\\u202egnp.\\x00'.\nUse another."
    assert str(DataError("Größe 14×14 …")) == "Größe 14×14 …"
    assert str(DataError("97\N{NO-BREAK SPACE}%")) == "97\N{NO-BREAK SPACE}%"
    assert "pip install 'steadyhand[train]'" in str(MissingExtraError("torch"))


def test_a_message_is_no_longer_than_it_can_be_read() -> None:
    for letter in ("x", "\x1b", "\U000e0001"):
        said = str(DataError(f"Begin {letter * 3_000_000} Use another."))
        assert said.startswith("Begin ")
        assert said.endswith(" Use another.")
        assert len(said) <= LONGEST_MESSAGE
    assert "Available: ddim." in unknown("solver", "d" * 3_000_000, ["ddim"])
