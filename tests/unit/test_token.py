from __future__ import annotations

import hmac
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restriction.errors import SettingError
from restriction.identity import DocumentType, Identity
from restriction.token import Secrets, TokenKeys, new_secret_text, read_secrets

SECRET = bytes(range(32))
KEYS = TokenKeys.expand("k-1", SECRET)
OTHER_KEYS = TokenKeys.expand("k-2", bytes(32))
HOLDER = Identity(DocumentType.RESIDENT_ID, "11010519491231002X")
IDENTITIES = st.builds(Identity, st.sampled_from(DocumentType), st.text("0123456789X|", max_size=20))


def expected(label: str, message: bytes, size: int) -> bytes:
    """RFC 5869, 2.3, one block: T(1) = HMAC(secret, info | 0x01); then keyed BLAKE2b."""
    key = hmac.digest(SECRET, b"lintel/v1/" + label.encode() + b"\x01", "sha256")
    return blake2b(message, digest_size=size, key=key).digest()


def test_tokens_are_keyed_blake2b_under_an_hkdf_key_each() -> None:
    message = b"1|11010519491231002X"
    assert KEYS.token(HOLDER) == expected("token", message, 16)
    assert KEYS.fingerprint(HOLDER) == expected("fingerprint", message, 8)
    assert KEYS.name("张三") == expected("name", "张三".encode(), 8)
    assert KEYS.unit_reference("x") == expected("unit-reference", b"x", 16)
    assert KEYS.audit("x") == expected("audit", b"x", 16)


def test_every_use_has_a_key_of_its_own() -> None:
    text = f"{HOLDER.type:d}|{HOLDER.number}"
    values = [
        KEYS.token(HOLDER),
        KEYS.fingerprint(HOLDER),
        KEYS.name(text),
        KEYS.unit_reference(text),
        KEYS.audit(text),
    ]
    starts = {value[:8] for value in [*values, KEYS.bucket_key, KEYS.digest_key]}
    assert len(starts) == len(values) + 2


def test_another_secret_gives_other_values() -> None:
    assert KEYS.token(HOLDER) != OTHER_KEYS.token(HOLDER)
    assert KEYS.name("张三") != OTHER_KEYS.name("张三")
    assert KEYS.bucket_key != OTHER_KEYS.bucket_key


def test_asking_leaves_the_keys_unchanged() -> None:
    assert [KEYS.token(HOLDER) for _ in range(3)] == [KEYS.token(HOLDER)] * 3


def test_weak_number_has_the_token_of_the_full_one() -> None:
    assert KEYS.token(Identity(HOLDER.type, HOLDER.number, weak=True)) == KEYS.token(HOLDER)


@given(IDENTITIES, IDENTITIES)
def test_identities_share_a_token_only_when_type_and_number_are_equal(one: Identity, other: Identity) -> None:
    assert (KEYS.token(one) == KEYS.token(other)) == (one == other)


def test_keys_and_numbers_never_show() -> None:
    secrets = Secrets(KEYS, OTHER_KEYS)
    shown = f"{secrets!r} {secrets}"
    assert shown.count("TokenKeys(key_id=") == 4
    assert not any(key.hex() in shown or repr(key) in shown for key in (SECRET, KEYS.bucket_key, KEYS.digest_key))
    assert "blake2b" not in shown


def test_secret_file_gives_current_and_successor() -> None:
    one, two = new_secret_text(), new_secret_text()
    assert one != two
    assert read_secrets(one).successor is None
    both = read_secrets(one + two)
    assert both.successor is not None
    assert (both.current.key_id, both.successor.key_id) == (one.split()[0], two.split()[0])
    assert both.current.token(HOLDER) == read_secrets(one).current.token(HOLDER)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("k-1\n", id="no secret"),
        pytest.param(f"k-1 {'a' * 63}\n", id="63 digits"),
        pytest.param(f"k-1 {'a' * 66}\n", id="66 digits"),
        pytest.param(f"k-1 {'g' * 64}\n", id="no hex"),
        pytest.param(f"K_1 {'a' * 64}\n", id="odd key id"),
        pytest.param(f"k-1 {'a' * 64} more\n", id="more on the line"),
        pytest.param(f"\nk-1 {'a' * 64}\n", id="blank line"),
        pytest.param("".join(f"k-{n} {n * 64}\n" for n in "123"), id="three keys"),
        pytest.param(f"k-1 {'a' * 64}\nk-1 {'b' * 64}\n", id="one id twice"),
        pytest.param(f"k-1 {'a' * 64}\nk-2 {'a' * 64}\n", id="one secret twice"),
    ],
)
def test_malformed_secret_file_is_refused_without_telling_it(text: str) -> None:
    with pytest.raises(SettingError, match="token secret file") as caught:
        read_secrets(text)
    assert "aaaa" not in str(caught.value)


@pytest.mark.parametrize("line", [0, 1], ids=["current", "successor"])
def test_secret_with_a_wrong_digit_is_not_taken_for_the_one_of_its_id(line: int) -> None:
    """Under a wrong successor everybody on the list would have a token that is not."""
    lines = [new_secret_text(), new_secret_text()]
    last = lines[line][-2]
    lines[line] = f"{lines[line][:-2]}{'0' if last != '0' else '1'}\n"
    with pytest.raises(SettingError, match="not the secret of its id") as caught:
        read_secrets("".join(lines))
    assert lines[line].split()[1] not in str(caught.value)


def test_short_secret_is_refused() -> None:
    with pytest.raises(SettingError):
        TokenKeys.expand("k-1", bytes(31))
