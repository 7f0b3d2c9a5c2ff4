"""Parsing one request head."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.transport.http.request_head import MAX_HEAD_BYTES, BadRequest, HeadParser

GET = (
    b"GET /live?token=s3cret HTTP/1.1\r\nHost: a.example\r\n"
    b"X-One: 1\r\nX-List: a, b\r\nX-List: c\r\n\r\n"
)


def parse(*chunks):
    parser = HeadParser()
    heads = [parser.feed(chunk) for chunk in chunks]
    return heads[-1], parser.rest


def refusal(*chunks):
    with pytest.raises(BadRequest) as caught:
        parse(*chunks)
    return caught.value


def with_headers(*lines, method=b"GET"):
    return b"\r\n".join([method + b" / HTTP/1.1", b"Host: a", *lines, b"", b""])


def test_a_head_is_method_path_query_and_headers():
    head, rest = parse(GET)
    assert (head.method, head.path, head.query, rest) == ("GET", "/live", "token=s3cret", b"")
    assert head.one("x-one") == "1"
    assert head.listed("x-list") == ["a", "b", "c"]
    assert head.one("x-none") is None


def test_a_head_shows_neither_query_nor_headers():
    head, _ = parse(GET)
    assert "s3cret" not in repr(head)


@pytest.mark.fault("P2")
def test_a_head_shows_no_text_of_the_clients_at_all():
    head, _ = parse(b"S3CRET /s3cret HTTP/1.1\r\nHost: s3cret\r\n\r\n")
    assert "s3cret" not in f"{head!r} {head}".lower()


@pytest.mark.fault("P2")
@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_refusal_repeats_what_it_refuses(before, after):
    with contextlib.suppress(BadRequest):
        parse(b"GET / HTTP/1.1\r\nHost: a\r\n" + before + b"s3cret" + after + b"\r\n\r\n")
        return
    with pytest.raises(BadRequest) as caught:
        parse(b"GET / HTTP/1.1\r\nHost: a\r\n" + before + b"s3cret" + after + b"\r\n\r\n")
    assert "s3cret" not in f"{caught.value!r} {caught.value}".lower()


def test_a_header_wanted_once_may_not_come_twice():
    head, _ = parse(GET)
    with pytest.raises(BadRequest, match="x-list must come at most once"):
        head.one("x-list")


@given(st.integers(1, len(GET) - 1), st.binary(max_size=50))
def test_the_cut_of_the_bytes_does_not_matter_and_the_rest_is_kept(cut, early):
    assert parse(GET[:cut], GET[cut:] + early) == (parse(GET)[0], early)


NAMES = st.sampled_from([b"Host", b"X", b"host", b"content-length", b"Transfer-Encoding", b"a b"])
VALUES = st.sampled_from(
    [b"a", b" a", b"", b"\t a \tb ", b"0", b"chunked", b"\xe9", b"a\x0b", b"a\r"]
)
ENDS = st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r\n ", b"\r\n\r\n"])
HEADERS = st.tuples(NAMES, st.sampled_from([b":"] * 8 + [b" :"]), VALUES, ENDS).map(b"".join)
FIRST_LINES = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"GET /live?a=?b HTTP/1.1\r\n",
        b"GET //a HTTP/1.1\r\n",
        b"GET / HTTP/1.0\r\n",
        b"GET / HTTP/1.1\n",
        b"GET  / HTTP/1.1\r\n",
        b"GET http://a/b HTTP/1.1\r\n",
        b"\r\nGET / HTTP/1.1\r\n",
        b"get / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\n",
    ]
)


def outcome_of(*chunks):
    try:
        return parse(*chunks)
    except BadRequest as refused:
        return refused.status, refused.message


@given(FIRST_LINES, st.lists(HEADERS, max_size=5), st.binary(max_size=5))
def test_a_head_that_comes_in_one_piece_is_read_as_h11_reads_it(first, headers, early):
    """One that comes in several pieces is always read by h11."""
    whole = b"".join([first, b"Host: a\r\n", *headers, b"\r\n", early])
    assert outcome_of(whole) == outcome_of(whole[:1], whole[1:])


@given(st.lists(st.binary(min_size=1), min_size=1))
def test_no_bytes_raise_anything_but_bad_request(chunks):
    parser = HeadParser()
    with contextlib.suppress(BadRequest):
        for chunk in chunks:
            if parser.feed(chunk):
                break


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n bad: folded\x00\r\n\r\n",
        b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_what_is_no_request_for_us_gets_400(junk):
    assert refusal(junk).status == 400


def test_another_version_of_http_gets_505():
    assert refusal(b"GET / HTTP/2.0\r\nHost: a\r\n\r\n").status == 505


def test_an_absolute_target_counts_by_its_path():
    head, _ = parse(b"GET http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n")
    assert (head.path, head.query) == ("/x", "y")


def test_two_slashes_are_a_path_and_no_host():
    head, _ = parse(b"GET //evil/live HTTP/1.1\r\nHost: a.example\r\n\r\n")
    assert head.path == "//evil/live"


def test_a_head_may_be_32_kib_and_no_more():
    frame = len(with_headers(b"X: "))
    head, _ = parse(with_headers(b"X: " + b"x" * (MAX_HEAD_BYTES - frame)) + b"early")
    assert head is not None
    assert refusal(with_headers(b"X: " + b"x" * (MAX_HEAD_BYTES - frame + 1))).status == 431
    assert refusal(b"GET / HTTP/1.1\r\nX: " + b"x" * MAX_HEAD_BYTES).status == 431


def test_a_head_may_hold_100_headers_and_no_more():
    assert parse(with_headers(*[b"X: 1"] * 99))[0] is not None
    assert refusal(with_headers(*[b"X: 1"] * 100)).status == 431


@pytest.mark.parametrize("header", [b"Content-Length: 1", b"Transfer-Encoding: chunked"])
def test_a_request_with_a_body_gets_413(header):
    assert refusal(with_headers(header, method=b"POST")).status == 413


def test_an_empty_body_is_no_body():
    assert parse(with_headers(b"Content-Length: 0"))[0] is not None
