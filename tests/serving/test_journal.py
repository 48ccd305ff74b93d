"""The log of a server: a line is what happened, whatever a client says."""

from steadyhand.serving.journal import LOG, broke, event, to_stderr

FORGED = "no\n2026-01-01T00:00:00.000Z ready url=ws://elsewhere"


def test_words_of_a_client_are_no_lines_of_their_own(capsys) -> None:
    handler = to_stderr(as_json=False)
    try:
        event("turned-away", path=FORGED)
        try:
            raise ValueError(FORGED)
        except ValueError as error:
            broke("policy-failed", error, policy="first")
    finally:
        LOG.removeHandler(handler)
    lines = capsys.readouterr().err.splitlines()
    told = [line for line in lines if not line.startswith("  | ")]
    assert [line.split()[1] for line in told] == ["turned-away", "policy-failed"]
