"""The Flask application: blueprints, limits, the door's key, request ids, the error table."""

import re
import threading
import uuid
from typing import Any

from flask import g, jsonify, redirect, request
from flask_openapi import OpenAPI
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from backend.api import checks, health, images, imports, jobs, products, reference, search, snapshots
from backend.api.auth import check_door, merchant_in
from backend.api.errors import http_problem, problem, storage_problem, unforeseen
from backend.api.schemas.body import invalid
from backend.api.schemas.problem import Problem
from backend.errors import ShelfsightError, Unavailable
from backend.settings import Settings
from backend.usecases.services import Services

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class InFlight:
    """How many requests are being answered: a stopping server waits for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.value = 0

    def add(self, step: int) -> None:
        """Count one in (1) or out (-1)."""
        with self._lock:
            self.value += step


def create_app(services: Services, settings: Settings, *, key: str | None) -> OpenAPI:
    """The WSGI application. `key`: what callers must send; None is an open door, which only loopback may have."""
    app = OpenAPI(
        "shelfsight",
        info=reference.INFO,
        security_schemes=reference.SECURITY,
        doc_prefix="/docs",
        validation_error_status=400,
        validation_error_model=Problem,
        validation_error_callback=_refuse,
        static_folder=None,
    )
    app.openapi_version = "3.1.0"
    app.json.sort_keys = False  # type: ignore[attr-defined] # the default provider; answers keep their models' order
    app.config.update(
        MAX_CONTENT_LENGTH=settings.limits.max_upload_bytes,
        MAX_FORM_MEMORY_SIZE=1_000_000,  # a JSON part with a long description; pictures are files and do not count
        MAX_FORM_PARTS=settings.limits.max_pictures
        + 50,  # room to say "too many pictures" rather than "too many parts"
        DRAINING=threading.Event(),
        IN_FLIGHT=InFlight(),
    )
    for blueprint in (
        products.blueprint(services, settings),
        imports.blueprint(services, settings),
        jobs.blueprint(services, settings),
        search.blueprint(services, settings),
        images.blueprint(services),
        health.blueprint(services, settings),
        snapshots.blueprint(services),
        checks.blueprint(services),
    ):
        app.register_api(blueprint)
    app.add_url_rule("/openapi.json", "reference", lambda: jsonify(app.api_doc))
    app.add_url_rule("/docs", "docs", lambda: redirect("/docs/swagger"))
    app.register_error_handler(ShelfsightError, problem)
    app.register_error_handler(HTTPException, http_problem)
    app.register_error_handler(OSError, storage_problem)
    app.register_error_handler(Exception, unforeseen)
    _add_hooks(app, key)
    return app


def _add_hooks(app: OpenAPI, key: str | None) -> None:
    @app.before_request
    def enter() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        app.config["IN_FLIGHT"].add(1)
        g.counted = True
        if app.config["DRAINING"].is_set():
            raise Unavailable("the server is stopping")
        check_door(request, key)
        g.merchant = merchant_in(request)

    @app.teardown_request
    def leave(_error: BaseException | None) -> None:
        if g.pop("counted", False):
            app.config["IN_FLIGHT"].add(-1)

    @app.after_request
    def mark(response: AnyResponse) -> AnyResponse:
        response.headers["X-Request-Id"] = g.get("request_id", "")
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def _refuse(error: ValidationError) -> Any:
    """A path or query parameter that is wrong: raised on, so that it ends in the one error table."""
    raise invalid(error) from error
