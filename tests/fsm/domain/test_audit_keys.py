import hmac

import pytest

from fsm.domain.audit_keys import AuditKeys


@pytest.mark.parametrize("key_length", [32, 63, 64, 65, 200])
@pytest.mark.parametrize("length", [0, 1, 55, 56, 64, 500])
def test_what_is_signed_is_what_any_hmac_of_the_key_says(key_length, length):
    key, data = bytes(range(key_length)), b"x" * length
    keys = AuditKeys({"a": key, "b": key[::-1]})

    for _ in range(2):
        assert keys.mac("a", data) == hmac.digest(key, data, "sha256")
    assert keys.holds("a", data, hmac.digest(key, data, "sha256"))
    assert not keys.holds("b", data, hmac.digest(key, data, "sha256"))
