"""What is made of an authenticator's answers, and of one that raises, hangs or lies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.user.bans import Bans
from greenroom.transport.auth import validity
from greenroom.transport.auth.tokens import Identity, JwtAuthenticator
from greenroom.transport.auth.validity import CHECK_SECONDS, FRESH_SECONDS, Validity
from greenroom.transport.auth.verdict import Verdict

pytestmark = pytest.mark.requirement("R47")

ALICE = Identity(UserId("alice"))


class Asked:
    """An authenticator that answers as a function does, and counts."""

    def __init__(self, answer: Callable[[], Awaitable[object]]) -> None:
        self.answer = answer
        self.asked: list[Identity] = []
        self.at_once = self.most = 0

    async def authenticate(self, token: str) -> Identity:
        return Identity(UserId(token))

    async def still_valid(self, identity: Identity) -> bool:
        self.asked.append(identity)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            return await self.answer()  # type: ignore[return-value]  # it may lie
        finally:
            self.at_once -= 1


def of(asked: object) -> Validity:
    return Validity(asked, Bans(lambda: 0.0))  # type: ignore[arg-type]  # some offer nothing


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


async def none() -> None: ...


async def broken() -> bool:
    raise RuntimeError("the directory is down")


async def group() -> bool:
    raise BaseExceptionGroup("a", [RuntimeError("b"), SystemExit()])


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (yes, Verdict.GOOD),
        (no, Verdict.REVOKED),
        (none, Verdict.UNKNOWN),
        (broken, Verdict.UNKNOWN),
        (group, Verdict.UNKNOWN),
        (trio.sleep_forever, Verdict.UNKNOWN),
    ],
)
async def test_only_true_and_false_are_answers(
    answer: Callable[[], Awaitable[object]],
    verdict: Verdict,
    autojump_clock: trio.testing.MockClock,
) -> None:
    assert await of(Asked(answer)).check(ALICE) is verdict
    assert trio.current_time() in (0.0, CHECK_SECONDS)


async def test_an_authenticator_that_offers_nothing_is_not_asked() -> None:
    class Plain:
        async def authenticate(self, token: str) -> Identity:
            return ALICE

    assert not of(Plain()).can_ask(ALICE)
    assert await of(Plain()).check(ALICE) is Verdict.GOOD


async def test_an_answer_is_good_for_a_moment_for_all_connections_of_a_token(
    autojump_clock: trio.testing.MockClock,
) -> None:
    asked = Asked(yes)
    checks = of(asked)
    for _ in range(20):
        assert await checks.check(Identity(UserId("alice"))) is Verdict.GOOD
    assert len(asked.asked) == 1
    await checks.check(Identity(UserId("alice"), proof="another key"))
    assert len(asked.asked) == 2
    asked.answer = no
    await trio.sleep(FRESH_SECONDS)
    assert await checks.check(ALICE) is Verdict.REVOKED


async def test_what_is_not_known_is_not_kept(autojump_clock: trio.testing.MockClock) -> None:
    asked = Asked(broken)
    checks = of(asked)
    assert await checks.check(ALICE) is Verdict.UNKNOWN
    asked.answer = no
    assert await checks.check(ALICE) is Verdict.REVOKED


async def test_few_are_asked_at_a_time_and_few_answers_are_kept(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validity, "MOST_ANSWERS", 10)

    async def slowly() -> bool:
        await trio.sleep(1)
        return True

    asked = Asked(slowly)
    checks = of(asked)
    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(checks.check, Identity(UserId(f"user-{number}")))
    assert asked.most == validity.CHECKS_AT_ONCE
    assert len(checks._answers) == 10


async def test_those_that_hang_hold_up_the_others_for_their_patience_only(
    autojump_clock: trio.testing.MockClock,
) -> None:
    asked = Asked(trio.sleep_forever)
    checks = of(asked)
    async with trio.open_nursery() as nursery:
        for number in range(validity.CHECKS_AT_ONCE):
            nursery.start_soon(checks.check, Identity(UserId(f"user-{number}")))
        await trio.testing.wait_all_tasks_blocked()
        assert await checks.check(ALICE) is Verdict.UNKNOWN
    asked.answer = yes
    assert await checks.check(ALICE) is Verdict.GOOD


async def test_an_answer_that_is_kept_waits_for_no_other(
    autojump_clock: trio.testing.MockClock,
) -> None:
    asked = Asked(yes)
    checks = of(asked)
    assert await checks.check(ALICE) is Verdict.GOOD
    asked.answer = trio.sleep_forever
    async with trio.open_nursery() as nursery:
        for number in range(validity.CHECKS_AT_ONCE):
            nursery.start_soon(checks.check, Identity(UserId(f"user-{number}")))
        await trio.testing.wait_all_tasks_blocked()
        assert await checks.check(ALICE) is Verdict.GOOD
        nursery.cancel_scope.cancel()


async def test_no_task_is_spent_on_a_key_that_is_fixed_unless_a_subclass_asks_more() -> None:
    class Stricter(JwtAuthenticator):
        async def still_valid(self, identity: Identity) -> bool:
            return False

    secret = "a secret of more than thirty-two bytes"
    assert not of(JwtAuthenticator.from_secret(secret)).can_ask(ALICE)
    assert of(JwtAuthenticator.from_secret(secret)).can_ask(Identity(UserId("alice"), proof="key"))
    assert await of(Stricter.from_secret(secret)).check(ALICE) is Verdict.REVOKED
