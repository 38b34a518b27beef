import pytest

from payment_service.wire.media import MediaType, parse_media_type


def parsed(text):
    media = parse_media_type(text)
    assert isinstance(media, MediaType)
    return media


@pytest.mark.parametrize(
    "text",
    [
        "application/json",
        "APPLICATION/JSON",
        " application/json ",
        "application/json;",
        "application/json;charset=UTF-8;",
        'application/json; charset="utf-8"',
        "application/json ; charset = utf8 ; q=1",
        'application/json; x="a;b\\"c"; charset=utf-8',
        "text/json",
        "application/x-json",
        "application/vnd.acme.v2+json; version=2",
    ],
)
def test_json_by_any_of_its_names(text):
    media = parsed(text)

    assert media.is_json
    assert media.foreign_charset is None


@pytest.mark.parametrize(
    "text",
    [
        "text/plain",
        "application/jsonp",
        "application/json+xml",
        "image/svg+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=json",
    ],
)
def test_what_is_something_else(text):
    assert not parsed(text).is_json


@pytest.mark.parametrize(
    "text",
    [
        "",
        "json",
        "application/",
        "application/json, text/plain",
        "application/json; charset",
        'application/json; charset="utf-8',
        "application/json\n",
        "application/json; \xff=1",
        "application/json;" + "a" * 600,
    ],
)
def test_what_is_no_media_type(text):
    assert parse_media_type(text) is None


@pytest.mark.parametrize("charset", ["utf-16", '"UTF-16LE"', "iso-8859-1", '""'])
def test_a_charset_that_json_does_not_have(charset):
    for text in (f"charset={charset}", f"charset=utf-8; charset={charset}"):
        media = parsed(f"application/json; {text}")

        assert media.foreign_charset == charset.strip('"').lower()
