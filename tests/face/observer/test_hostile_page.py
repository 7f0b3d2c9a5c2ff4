"""What a hostile page, user or network does with the observer's page, in a browser."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import fastapi
import pytest

from greenroom import asgi
from greenroom.metrics.last_hour import EVERY
from tests.deploy.proxies import behind
from tests.face.observer.browsing import LOOK
from tests.face.observer.conftest import sign_in
from tests.face.page.browser import NEEDS_CHROMIUM, WAIT
from tests.protocol.asgi_servers import Watched, serving_by
from tests.protocol.server import ADMIN, Server, serving

if TYPE_CHECKING:
    from playwright import sync_api as api

    from tests.face.observer.conftest import Observe

pytestmark = [pytest.mark.requirement("R42"), NEEDS_CHROMIUM]

MARKUP = "<img src=x onerror=window.hurt=1>"
FRAME = "<iframe src='{url}'></iframe>"


def test_no_other_page_shows_it_in_a_frame(observed: Server, observe: Observe) -> None:
    page = observe(observed)
    url = page.url
    page.route(
        "**/evil.html*",
        lambda route: route.fulfill(content_type="text/html", body=FRAME.format(url=url)),
    )
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.goto(url.replace("/observer/", "/evil.html?"))


def test_markup_in_an_address_or_in_an_alert_stays_text(observe: Observe) -> None:
    with serving(admin_token=ADMIN, look_token=LOOK) as server:
        metrics = server.runtime.metrics
        assert metrics is not None

        def misuse() -> None:
            for _ in range(EVERY):
                metrics.lagged(0.0)
            metrics.id_mismatch("run", MARKUP)
            for _ in range(EVERY):
                metrics.lagged(0.0)

        server.run_sync(misuse)
        page = observe(server, token=LOOK)
        assert f"A {MARKUP} id was used as a run id" in page.inner_text("[data-testid=alerts]")
        page.goto(f"{page.url}{MARKUP}/{MARKUP}")
        page.wait_for_selector("[data-testid=view-title] >> text=Not here")
        assert page.evaluate("window.hurt") is None
        assert page.locator("img[src=x]").count() == 0


def mounted(watched: Watched) -> Callable[..., object]:
    app = fastapi.FastAPI(lifespan=watched)
    app.mount("/chat", asgi.app(proxies=["127.0.0.1"]))
    return app


def test_behind_a_proxy_that_ends_tls_the_cookie_of_a_mounted_app_is_for_https_alone(
    browser: api.Browser, tmp_path: Path
) -> None:
    serve = partial(serving_by, "uvloop", make=mounted, proxy_headers=False)
    tmp_path.chmod(0o755)
    with (
        serve(admin_token=ADMIN, admin_anywhere=True) as server,
        behind("nginx", server, "/chat", tmp_path) as site,
    ):
        context = browser.new_context(ignore_https_errors=True)
        context.set_default_timeout(WAIT)
        page = context.new_page()
        page.goto(f"https://127.0.0.1:{site.port}/chat/observer")
        sign_in(page, ADMIN)
        (cookie,) = context.cookies()
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (
            True,
            True,
            "Strict",
            "/chat/admin",
        )
        page.click("[data-testid=sign-out]")
        page.wait_for_selector("[data-testid=sign-in]")
        assert context.cookies() == []
        context.close()
