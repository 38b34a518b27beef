"""A call goes through the proxy that curl would take, and no secret is shown."""

import pytest

from providers.http.outbound import Outbound
from providers.http.proxies import Proxies


def through(environment, url="https://acme.example"):
    found = Outbound(proxies=Proxies(environment)).proxy_of(url)
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, "https://a.example", None),
        ({"HTTPS_PROXY": "http://p:3128"}, "https://a.example", "http://p:3128"),
        ({"HTTPS_PROXY": "http://p:3128"}, "http://a.example", None),
        ({"HTTP_PROXY": "http://p:3128"}, "http://a.example", "http://p:3128"),
        ({"ALL_PROXY": "http://p:3128"}, "http://a.example", "http://p:3128"),
        ({"all_proxy": "http://p:1", "HTTPS_PROXY": "q:2"}, "https://a", "http://q:2"),
        (
            {"https_proxy": "http://p:1", "HTTPS_PROXY": "q:2"},
            "https://a",
            "http://p:1",
        ),
        ({"https_proxy": "", "HTTPS_PROXY": "q:2"}, "https://a", None),
        ({"HTTPS_PROXY": "", "ALL_PROXY": "q:2"}, "https://a", "http://q:2"),
        ({"HTTPS_PROXY": "p:3128"}, "https://a", "http://p:3128"),
        ({"HTTPS_PROXY": "https://p"}, "https://a", "https://p:443"),
        ({"HTTPS_PROXY": "http://p/"}, "https://a", "http://p:80"),
        ({"HTTPS_PROXY": "http://[::1]:3128"}, "https://a", "http://[::1]:3128"),
        ({"HTTPS_PROXY": "http://me:pw@p:1"}, "https://a", "http://p:1"),
    ],
)
def test_the_proxy_is_the_one_that_is_set(environment, url, proxy):
    assert through(environment, url) == proxy


@pytest.mark.parametrize(
    ("around", "url", "direct"),
    [
        ("*", "https://acme.example", True),
        ("acme.example", "https://acme.example", True),
        ("acme.example", "https://ACME.example.", True),
        ("acme.example", "https://api.acme.example", True),
        (".acme.example", "https://api.acme.example", True),
        (".acme.example", "https://acme.example", True),
        ("*.acme.example", "https://api.acme.example", True),
        ("acme.example", "https://notacme.example", False),
        ("acme.example", "https://acme.example.org", False),
        ("acme.example:8443", "https://acme.example:8443", True),
        ("acme.example:8443", "https://acme.example", False),
        ("zeta.example, acme.example", "https://acme.example", True),
        ("zeta.example acme.example", "https://acme.example", True),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("10.1.2.3", "https://10.1.2.30", False),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.1.2.3/8", "https://10.200.0.1", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.0.0.0/8", "https://acme.example", False),
        ("10.0.0.1:8443", "https://10.0.0.1:8443", True),
        ("10.0.0.1:8443", "https://10.0.0.1", False),
        ("::1", "https://[::1]:8443", True),
        ("[::1]", "https://[::1]:8443", True),
        ("[::1]:8443", "https://[::1]:8443", True),
        ("[::1]:8443", "https://[::1]:443", False),
        ("fd00::/8", "https://[fd12::1]:443", True),
        ("localhost", "http://localhost", True),
        (",, ,", "https://acme.example", False),
        ("", "https://acme.example", False),
    ],
)
def test_whom_no_proxy_names_is_called_without(around, url, direct):
    environment = {"ALL_PROXY": "http://p:3128", "NO_PROXY": around}

    assert (through(environment, url) is None) == direct


def test_the_lower_case_list_stands_above_the_other():
    around = {"ALL_PROXY": "p:1", "no_proxy": "zeta.example", "NO_PROXY": "*"}

    assert through(around) == "http://p:1"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("socks5://me:hunter22@p:1080", "only http:// and https:// proxies"),
        ("http://me:hunter22@p:99999", "must be http://user:password@host:port"),
        ("http://me:hunter22@p:0", "must be http://user:password@host:port"),
        ("http://me:hunter22/x@p:1", "must be http://user:password@host:port"),
        ("http://me:hunter22#x@p:1", "must be http://user:password@host:port"),
        ("http://me:hunter22@", "must be http://user:password@host:port"),
        ("http://[::hunter22]:1", "must be http://user:password@host:port"),
        ("http://", "must be http://user:password@host:port"),
    ],
)
def test_what_is_no_proxy_is_named_and_not_shown(given, said):
    with pytest.raises(ValueError, match=said) as refused:
        Proxies({"https_proxy": given})

    assert str(refused.value).startswith("https_proxy: ")
    assert "hunter22" not in str(refused.value)


def test_credentials_are_unescaped_and_never_shown():
    found = Proxies({"HTTPS_PROXY": "http://me:hunter%4022%3A@p:1"}).find(
        "https", "a", 1
    )

    assert found is not None
    assert found.authorization == "Basic bWU6aHVudGVyQDIyOg=="
    assert "bWU6" not in repr(found)
    assert "hunter" not in f"{found!r} {found}"
