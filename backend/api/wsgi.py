"""The HTTP door for gunicorn (server mode): `gunicorn -c deploy/gunicorn.conf.py 'backend.api.wsgi:application()'`."""

from flask_openapi import OpenAPI

from backend.api.app import create_app
from backend.bootstrap import build
from backend.errors import Misconfigured
from backend.settings import load_settings
from backend.usecases.follow_index import FOLLOW_SECONDS
from backend.usecases.recurring import Recurring


def application() -> OpenAPI:
    """The WSGI application. A key is always required: which address gunicorn binds is not known here."""
    settings = load_settings()
    if settings.embedded:
        raise Misconfigured("several processes cannot share an embedded index: set SHELFSIGHT_STORES__QDRANT_URL")
    key = settings.door_key(always=True)
    built = build(settings)
    Recurring("look for another index", built.follow_index, seconds=FOLLOW_SECONDS).start()
    return create_app(built.services, settings, key=key)
