"""What leads from one set of records to another, as changes in their lanes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from restriction.change import Change, Lane
from sync_agent.mover import differences
from tests.fakes.list_publisher import lifted, listed, record_of, token_of

RECORDS = st.dictionaries(st.integers(0, 12).map(token_of), st.integers(1, 3).map(record_of))


def test_only_what_was_not_there_at_all_may_wait() -> None:
    stored = {token_of(1): record_of(1), token_of(2): record_of(1), token_of(3): record_of(1)}
    wanted = {token_of(2): record_of(2), token_of(3): record_of(1), token_of(4): record_of(1)}
    assert set(differences(stored, wanted, every=False)) == {
        lifted(1),
        Change(token_of(2), record_of(2), Lane.EASE),
        listed(4),
    }


@given(RECORDS, RECORDS)
def test_the_changes_lead_to_what_is_wanted_and_no_other_is_made(
    stored: dict[bytes, bytes], wanted: dict[bytes, bytes]
) -> None:
    changes = list(differences(stored, wanted, every=False))
    made = stored | {change.token: change.record for change in changes}
    assert {token: record for token, record in made.items() if record} == wanted
    assert all(stored.get(change.token, b"") != change.record for change in changes)


@given(RECORDS, RECORDS)
def test_where_nobody_knows_what_was_added_every_record_is_told(
    stored: dict[bytes, bytes], wanted: dict[bytes, bytes]
) -> None:
    changes = list(differences(stored, wanted, every=True))
    assert {change.token: change.record for change in changes if change.record} == wanted
    assert set(differences(stored, wanted, every=False)) <= set(changes)
