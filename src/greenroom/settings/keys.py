"""The authenticators that the settings choose, and what their secrets sign and hide."""

from __future__ import annotations

import time
from collections.abc import Callable

from greenroom.delivery.observer import NO_OBSERVER, Observer
from greenroom.delivery.run.failures.secrets import Secrets
from greenroom.settings.settings import Settings
from greenroom.transport.auth.tokens import JwtAuthenticator, sign_token
from greenroom.visitors import VisitorTokens


def authenticator_of(
    settings: Settings,
    *,
    clock: Callable[[], float] = time.time,
    observer: Observer = NO_OBSERVER,
) -> JwtAuthenticator:
    """The authenticator that the settings choose. Raises `BadSettings` or `BadKeyFile`."""
    settings.require_auth()
    audience, issuer = settings.audience, settings.issuer
    if settings.secret is not None:
        return JwtAuthenticator.from_secret(
            settings.secret, audience=audience, issuer=issuer, clock=clock
        )
    if settings.key_file is not None:
        return JwtAuthenticator.from_key_file(
            settings.key_file, audience=audience, issuer=issuer, clock=clock
        )
    assert settings.jwks_file is not None, "require_auth() found one of the three"
    return JwtAuthenticator.from_jwks_file(
        settings.jwks_file, audience=audience, issuer=issuer, clock=clock, observer=observer
    )


def secrets_of(settings: Settings) -> Secrets:
    """Hides the secrets of the settings, and what looks like a secret."""
    held = (settings.secret, settings.admin_token, settings.look_token)
    return Secrets(tuple(filter(None, held)))


def tokens_of(settings: Settings) -> VisitorTokens | None:
    """The tokens of visitors; None if no visitor is admitted."""
    if settings.admin_token is None and settings.look_token is None:
        return None
    return VisitorTokens(settings.admin_token, settings.look_token)


def token_for(settings: Settings, secret: str, user: str, seconds: float) -> str:
    """A token of this user that these settings accept, signed with their secret."""
    claims = {"aud": settings.audience, "iss": settings.issuer}
    given = {name: value for name, value in claims.items() if value is not None}
    return sign_token(secret, user, seconds, now=None, **given)
