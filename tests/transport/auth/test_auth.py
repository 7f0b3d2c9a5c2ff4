"""Tokens: what proves an identity, and what does not."""

import base64
import errno
import hashlib
import hmac
import json
import os
import threading
import warnings
from pathlib import Path

import jwt
import orjson
import pytest
import trio
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.errors import Fault
from greenroom.delivery.events.ids import BadId, IdSource, RunId, UserId
from greenroom.delivery.observer import Observer
from greenroom.transport.auth.keys import RELOAD_INTERVAL, BadKeyFile, BadToken, KeyFile
from greenroom.transport.auth.tokens import (
    LATEST,
    Identity,
    JwtAuthenticator,
    extract_token,
    sign_token,
)
from greenroom.transport.http.request_head import RequestHead

SECRET = "a secret of more than thirty-two bytes"
NOW = 1_800_000_000.0
RSA, OTHER_RSA = (rsa.generate_private_key(65537, 2048) for _ in range(2))
EC = ec.generate_private_key(ec.SECP256R1())


def authenticator(**settings):
    return JwtAuthenticator.from_secret(SECRET, clock=lambda: NOW, **settings)


def token(key=SECRET, algorithm="HS256", headers=None, **claims):
    claims = {"sub": "alice", "exp": NOW + 60, **claims}
    present = {name: value for name, value in claims.items() if value is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return jwt.api_jws.encode(
            json.dumps(present).encode(), key, algorithm=algorithm, headers=headers
        )


def public_pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk(key, kid, **more):
    algorithm = jwt.get_algorithm_by_name(
        "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
    )
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, **more}


def write_jwks(path, *keys):
    path.write_text(json.dumps({"keys": list(keys)}))


async def refusal(auth, text):
    with pytest.raises(BadToken) as caught:
        await auth.authenticate(text)
    assert caught.value.fault is Fault.CLIENT
    assert text == "" or text not in str(caught.value)
    return str(caught.value)


async def test_a_good_token_gives_its_user_and_expiry():
    identity = await authenticator().authenticate(token())
    assert identity == Identity(UserId("alice"), NOW + 60)
    assert type(identity.user) is UserId


async def test_a_signed_token_is_accepted_until_it_expires():
    made = sign_token(SECRET, "alice", 5, now=NOW)
    assert (await authenticator().authenticate(made)).expires_at == NOW + 5
    late = JwtAuthenticator.from_secret(SECRET, clock=lambda: NOW + 5)
    assert "expired 0 s ago" in await refusal(late, made)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": NOW - 12}, "expired 12 s ago"),
        ({"exp": None}, "no `exp`"),
        ({"exp": "tomorrow"}, "`exp` is not a number"),
        ({"exp": True}, "`exp` is not a number"),
        ({"nbf": NOW + 11}, "not valid yet: its `nbf`"),
        ({"iat": NOW + 11}, "not valid yet: its `iat`"),
        ({"sub": None}, "no `sub`"),
        ({"sub": 7}, "not an int"),
        ({"sub": ""}, "not an empty string"),
        ({"sub": "a\nb"}, "invisible"),
        ({"sub": "x" * 256}, "256 characters"),
    ],
)
async def test_a_token_is_refused_saying_why(claims, why):
    assert why in await refusal(authenticator(), token(**claims))


@pytest.mark.requirement("R17")
async def test_a_run_id_is_no_subject():
    run = IdSource().new(RunId)
    assert "not run" in await refusal(authenticator(), token(sub=run))
    with pytest.raises(BadId, match="run"):
        sign_token(SECRET, run, 5)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
CLAIMS = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(), SCALARS, max_size=2)


@pytest.mark.fault("P5")
@given(
    st.fixed_dictionaries(
        {"sub": st.just("alice") | CLAIMS, "exp": CLAIMS},
        optional=dict.fromkeys(("nbf", "iat", "aud", "iss", "jti"), CLAIMS),
    )
)
def test_any_claims_make_an_identity_that_a_frame_can_tell_or_a_bad_token(claims):
    """Python's json writes NaN, infinities and integers of any size, which a forger may sign."""
    text = jwt.api_jws.encode(json.dumps(claims).encode(), SECRET, algorithm="HS256")
    try:
        identity = trio.run(authenticator(audience="a", issuer="i").authenticate, text)
    except BadToken:
        return
    assert orjson.loads(orjson.dumps(round(identity.expires_at * 1000))) > NOW * 1000


@pytest.mark.fault("P5")
@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "value", [2**63, 10**30, LATEST + 1, 1e308, -1, -1e308, float("nan"), float("inf")]
)
async def test_a_time_that_no_frame_could_tell_is_refused(claim, value):
    said = await refusal(authenticator(), token(**{claim: value}))
    assert f"`{claim}` must be a time" in said or said == "the token is malformed"


@pytest.mark.fault("P5")
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, 2**63, True, "soon"])
def test_an_authenticator_of_a_services_own_cannot_make_such_an_identity(value):
    with pytest.raises(ValueError, match="`expires_at` must be a time"):
        Identity(UserId("alice"), value)


@pytest.mark.fault("P2")
async def test_a_refusal_repeats_nothing_of_a_tokens_header():
    header = base64.urlsafe_b64encode(b'{"alg":"s3cret"}').decode().rstrip("=")
    said = await refusal(authenticator(), f"{header}.{token().partition('.')[2]}")
    assert said.startswith("the token is signed with an unknown algorithm")


async def test_clocks_may_differ_by_ten_seconds():
    await authenticator().authenticate(token(nbf=NOW + 10, iat=NOW + 10))


@pytest.mark.parametrize("text", ["", "jwt?", "a.b", "a.b.c", "....", "é.é.é", "\ud800"])
async def test_what_is_no_token_is_malformed(text):
    assert await refusal(authenticator(), text) == "the token is malformed"


async def test_a_token_without_an_algorithm_is_refused():
    assert "signed with null" in await refusal(authenticator(), "e30.e30.e30")


async def test_a_deeply_nested_header_is_malformed_and_crashes_nothing():
    header = base64.urlsafe_b64encode(b"[" * 9000).decode()
    assert await refusal(authenticator(), f"{header}.e30.e30") == "the token is malformed"
    payload = b"[" * 9000
    deep = jwt.api_jws.encode(payload, SECRET, algorithm="HS256")
    assert await refusal(authenticator(), deep) == "the token is malformed"


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode() + ".e30.x"))
def test_no_text_raises_anything_but_bad_token(text):
    with pytest.raises(BadToken):
        trio.run(authenticator().authenticate, text)


async def test_a_wrong_signature_is_refused():
    forged = token("another secret of more than thirty-two bytes")
    assert "signature does not match" in await refusal(authenticator(), forged)


async def test_the_algorithm_is_the_keys_and_not_the_tokens(tmp_path):
    assert "'HS512'" in await refusal(authenticator(), token(algorithm="HS512"))
    assert "'none'" in await refusal(authenticator(), token(None, "none"))
    pem = tmp_path / "key.pem"
    pem.write_bytes(public_pem(RSA))
    by_key = JwtAuthenticator.from_key_file(pem, clock=lambda: NOW)
    confused = _hs256_signed_with(public_pem(RSA))
    assert "'HS256'" in await refusal(by_key, confused)


def _hs256_signed_with(secret):
    """PyJWT refuses to sign with a PEM key as secret, an attacker does not."""
    packed = token().rsplit(".", 1)[0]
    signature = hmac.new(secret, packed.encode(), hashlib.sha256).digest()
    return f"{packed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def test_audience_and_issuer_are_checked_when_set():
    strict = authenticator(audience="greenroom", issuer="idp")
    await strict.authenticate(token(aud="greenroom", iss="idp"))
    await strict.authenticate(token(aud=["x", "greenroom"], iss="idp"))
    assert "another audience" in await refusal(strict, token(aud="x", iss="idp"))
    assert "another audience" in await refusal(strict, token(iss="idp"))
    assert "another issuer" in await refusal(strict, token(aud="greenroom"))
    await authenticator().authenticate(token(aud="whoever", iss="whoever"))


@pytest.mark.parametrize("secret", ["", "x" * 31, b"x" * 31])
def test_a_short_secret_is_refused_with_advice(secret):
    with pytest.raises(BadKeyFile, match=r"at least 32 bytes.*token_urlsafe") as caught:
        JwtAuthenticator.from_secret(secret)
    assert caught.value.fault is Fault.OPERATOR


def test_a_pem_key_is_no_secret():
    with pytest.raises(BadKeyFile, match="PEM"):
        JwtAuthenticator.from_secret(public_pem(RSA))


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256")])
async def test_a_pem_public_key_checks_its_algorithm(tmp_path, key, algorithm):
    path = tmp_path / "key.pem"
    path.write_bytes(public_pem(key))
    auth = JwtAuthenticator.from_key_file(path, clock=lambda: NOW)
    assert (await auth.authenticate(token(key, algorithm))).user == "alice"
    other = OTHER_RSA if key is RSA else ec.generate_private_key(ec.SECP256R1())
    assert "signature" in await refusal(auth, token(other, algorithm))


def test_a_bad_key_file_is_refused_at_start_saying_why(tmp_path):
    private = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    small = rsa.generate_private_key(65537, 1024)
    p384 = ec.generate_private_key(ec.SECP384R1())
    cases = [
        (private, "private key"),
        (b"hello", "no PEM public key"),
        (public_pem(small), "1024 bits"),
        (public_pem(p384), "must be RSA or"),
        (b"x" * (1024 * 1024 + 1), "larger"),
    ]
    for data, why in cases:
        (tmp_path / "key").write_bytes(data)
        with pytest.raises(BadKeyFile, match=why):
            JwtAuthenticator.from_key_file(tmp_path / "key")
    with pytest.raises(BadKeyFile, match="cannot be read: No such file"):
        JwtAuthenticator.from_key_file(tmp_path / "missing")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a JWKS"),
        ("[]", "not a JWKS"),
        ('{"keys": 3}', "not a JWKS"),
        ('{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', "no public signature key"),
        ('{"keys": [{"kty": "strange"}]}', "no public signature key"),
        ('{"keys": []}', "no public signature key"),
    ],
)
def test_a_bad_jwks_file_is_refused_at_start(tmp_path, text, why):
    path = tmp_path / "jwks.json"
    path.write_text(text)
    with pytest.raises(BadKeyFile, match=why):
        JwtAuthenticator.from_jwks_file(path)


async def test_the_kid_chooses_among_several_keys(tmp_path):
    path = tmp_path / "jwks.json"
    write_jwks(path, jwk(RSA, "r"), jwk(EC, "e"), jwk(OTHER_RSA, "enc", use="enc"))
    auth = JwtAuthenticator.from_jwks_file(path, clock=lambda: NOW)
    await auth.authenticate(token(RSA, "RS256", {"kid": "r"}))
    await auth.authenticate(token(EC, "ES256", {"kid": "e"}))
    for headers in ({"kid": "enc"}, {"kid": "x"}, {}):
        assert "not known here" in await refusal(auth, token(OTHER_RSA, "RS256", headers))
    assert "algorithm of its key, ES256" in await refusal(auth, token(RSA, "RS256", {"kid": "e"}))


async def test_a_single_key_needs_no_kid(tmp_path):
    path = tmp_path / "jwks.json"
    write_jwks(path, jwk(EC, "e"))
    auth = JwtAuthenticator.from_jwks_file(path, clock=lambda: NOW)
    await auth.authenticate(token(EC, "ES256"))


async def test_a_new_key_is_taken_up_and_an_old_one_dropped(tmp_path, autojump_clock):
    path = tmp_path / "jwks.json"
    write_jwks(path, jwk(RSA, "1"))
    auth = JwtAuthenticator.from_jwks_file(path, clock=lambda: NOW)
    await auth.authenticate(token(RSA, "RS256", {"kid": "1"}))
    write_jwks(path, jwk(OTHER_RSA, "2"))
    await auth.authenticate(token(OTHER_RSA, "RS256", {"kid": "2"}))
    await trio.sleep(3)
    assert "not known" in await refusal(auth, token(RSA, "RS256", {"kid": "1"}))


async def test_unknown_kids_make_the_file_be_read_every_few_seconds_at_most(
    tmp_path, autojump_clock, monkeypatch
):
    path = tmp_path / "jwks.json"
    write_jwks(path, jwk(RSA, "1"))
    auth = JwtAuthenticator.from_jwks_file(path, clock=lambda: NOW)
    stranger = token(OTHER_RSA, "RS256", {"kid": "2"})
    await refusal(auth, stranger)
    write_jwks(path, jwk(OTHER_RSA, "2"))
    await refusal(auth, stranger)
    await trio.sleep(3)
    await auth.authenticate(stranger)


async def test_a_file_gone_bad_leaves_the_old_keys_in_use(tmp_path, autojump_clock, caplog):
    path = tmp_path / "jwks.json"
    write_jwks(path, jwk(RSA, "1"))
    auth = JwtAuthenticator.from_jwks_file(path, clock=lambda: NOW)
    good = token(RSA, "RS256", {"kid": "1"})
    path.write_text("{")
    await auth.authenticate(good)
    assert "the old ones stay in use" in caplog.text
    await trio.sleep(3)
    os.unlink(path)
    await auth.authenticate(good)


@pytest.mark.fault("P3")
async def test_an_entry_without_a_signature_leaves_the_other_keys_of_the_file_in_use(
    tmp_path, autojump_clock
):
    path = tmp_path / "jwks.json"
    write_jwks(path, jwk(RSA, "1"))
    auth = JwtAuthenticator.from_jwks_file(path, clock=lambda: NOW)
    await trio.sleep(3)
    write_jwks(path, {**jwk(RSA, "2"), "alg": "none"}, jwk(RSA, "1"))
    await auth.authenticate(token(RSA, "RS256", {"kid": "1"}))
    with pytest.raises(BadToken, match="not known here"):
        await auth.authenticate(token(RSA, "RS256", {"kid": "2"}))


class Looks(Observer):
    def __init__(self):
        self.seen = []

    def keys_looked_at(self, *, readable):
        self.seen.append(readable)


@pytest.mark.fault("P3")
async def test_a_file_that_cannot_be_read_once_is_read_again_though_it_does_not_change(
    tmp_path, autojump_clock
):
    """It was replaced and could not be opened: a moment later the same file can be."""
    path, away, looks = tmp_path / "jwks.json", tmp_path / "away", Looks()
    write_jwks(path, jwk(RSA, "1"))
    auth = JwtAuthenticator.from_jwks_file(path, clock=lambda: NOW, observer=looks)
    old, new = token(RSA, "RS256", {"kid": "1"}), token(OTHER_RSA, "RS256", {"kid": "2"})
    write_jwks(away, jwk(OTHER_RSA, "2"))
    os.unlink(path)
    os.symlink(path, path)  # its status can be had of no one, nor can it be read, root or not
    await auth.authenticate(old)
    os.unlink(path)
    os.rename(away, path)
    await trio.sleep(6)
    await auth.authenticate(new)
    assert looks.seen == [False, True]


@pytest.mark.fault("P3")
async def test_nor_need_it_change_when_only_the_reading_failed(
    tmp_path, autojump_clock, monkeypatch
):
    path, looks = tmp_path / "jwks.json", Looks()
    write_jwks(path, jwk(RSA, "1"))
    auth = JwtAuthenticator.from_jwks_file(path, clock=lambda: NOW, observer=looks)
    write_jwks(path, jwk(OTHER_RSA, "2"))
    opened = Path.open

    def fail_once(self, *arguments, **more):
        monkeypatch.setattr(Path, "open", opened)
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(Path, "open", fail_once)
    await auth.authenticate(token(RSA, "RS256", {"kid": "1"}))
    await trio.sleep(6)
    await auth.authenticate(token(OTHER_RSA, "RS256", {"kid": "2"}))
    assert looks.seen == [False, True]


@pytest.mark.fault("P3")
async def test_the_longer_it_cannot_be_read_the_rarer_it_is_tried(tmp_path, autojump_clock):
    path, looks = tmp_path / "jwks.json", Looks()
    write_jwks(path, jwk(RSA, "1"))
    auth = JwtAuthenticator.from_jwks_file(path, clock=lambda: NOW, observer=looks)
    os.unlink(path)
    for _ in range(600):
        await auth.authenticate(token(RSA, "RS256", {"kid": "1"}))
        await trio.sleep(1)
    assert looks.seen == [False] * (5 + 8)  # after 0, 6, 18, 42, 90 s, then once a minute


@pytest.mark.fault("P3")
@pytest.mark.parametrize("entry", ["null", "7", '"text"', "[]", '{"kty": "EC", "crv": []}'])
async def test_an_entry_that_is_no_key_is_passed_over_and_fails_nobodys_token(tmp_path, entry):
    path = tmp_path / "jwks.json"
    path.write_text(f'{{"keys": [{entry}, {json.dumps(jwk(RSA, "1"))}]}}')
    auth = JwtAuthenticator.from_jwks_file(path, clock=lambda: NOW)
    await auth.authenticate(token(RSA, "RS256", {"kid": "1"}))


@pytest.mark.fault("P3")
async def test_a_disk_that_does_not_answer_holds_up_one_token_and_one_thread(tmp_path, monkeypatch):
    path, looks, now, answers = tmp_path / "jwks.json", Looks(), [0.0], threading.Event()
    write_jwks(path, jwk(RSA, "1"))
    keys = KeyFile(path, clock=lambda: now[0], observer=looks)
    write_jwks(path, jwk(OTHER_RSA, "2"))
    opened, waiting = Path.open, trio.Event()
    trio_token = trio.lowlevel.current_trio_token()

    def wait(self, *arguments, **more):
        trio_token.run_sync_soon(waiting.set)
        answers.wait()
        return opened(self, *arguments, **more)

    monkeypatch.setattr(Path, "open", wait)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keys.key_for, "1")
            await waiting.wait()
            now[0] = 3.0
            assert (await keys.key_for("1")).id == "1"  # not held up
            nursery.cancel_scope.cancel()
        now[0] = 60.0
        assert (await keys.key_for("1")).id == "1"
        assert looks.seen == [False, False]
    finally:
        answers.set()


def head(*headers):
    return RequestHead("GET", "/live", "1.1", headers=headers)


def packed(text):
    return "greenroom.bearer." + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize("text", ["a.b.c", "a.b.cd", "a.b.cde", "a.b.cdef", "~~~???>>>"])
def test_a_token_is_found_in_either_place(text):
    assert extract_token(head(("authorization", f"bearer {text}"))) == text
    offered = f"greenroom.v1, {packed(text)}"
    assert extract_token(head(("sec-websocket-protocol", offered))) == text


def test_no_token_is_none():
    assert extract_token(head()) is None
    assert extract_token(head(("authorization", "Basic YTpi"))) is None


def test_two_tokens_are_refused():
    with pytest.raises(BadToken, match="more than one"):
        extract_token(head(("authorization", "Bearer a"), ("sec-websocket-protocol", packed("a"))))


@pytest.mark.parametrize("bad", ["a", "a+/b", "_w"])
def test_a_token_that_is_not_base64url_is_refused(bad):
    with pytest.raises(BadToken, match="not base64url"):
        extract_token(head(("sec-websocket-protocol", f"greenroom.bearer.{bad}")))


@pytest.mark.requirement("R47")
async def test_a_token_is_valid_until_its_key_is_taken_from_the_file(tmp_path, autojump_clock):
    path = tmp_path / "jwks.json"
    write_jwks(path, jwk(RSA, "1"), jwk(OTHER_RSA, "2"))
    auth = JwtAuthenticator.from_jwks_file(path, clock=lambda: NOW)
    one, two = [
        await auth.authenticate(token(key, "RS256", {"kid": kid}))
        for key, kid in ((RSA, "1"), (OTHER_RSA, "2"))
    ]
    assert await auth.still_valid(one)
    write_jwks(path, jwk(OTHER_RSA, "1"))  # the name of the key that was taken; the key of another
    await trio.sleep(RELOAD_INTERVAL)
    assert not await auth.still_valid(one)
    assert await auth.still_valid(two)
    path.write_text("half a fi")
    await trio.sleep(RELOAD_INTERVAL)
    assert await auth.still_valid(two), "the keys read before stay in use"


async def test_nothing_can_be_taken_back_where_the_key_is_fixed():
    auth = authenticator()
    assert await auth.still_valid(await auth.authenticate(token()))
