"""greenroom inside another server: an ASGI app for uvicorn or anycorn, FastAPI or Starlette.

    app = FastAPI(lifespan=greenroom.asgi.lifespan(settings, agent))
    app.mount("/chat", greenroom.asgi.app())

Requests are served by the door and the connections of greenroom's own server: the same paths,
limits, close codes and drain. docs/fastapi.md shows more.
"""

from greenroom.asgi.application import Application as Application
from greenroom.asgi.application import NoRuntime as NoRuntime
from greenroom.asgi.application import app as app
from greenroom.asgi.fastapi import depends as depends
from greenroom.asgi.lifespans import lifespan as lifespan
from greenroom.asgi.request_heads import BadProxy as BadProxy

__all__ = ["Application", "BadProxy", "NoRuntime", "app", "depends", "lifespan"]
