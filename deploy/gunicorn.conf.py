"""gunicorn for the HTTP door in server mode. WEB_CONCURRENCY sets its processes; each loads the encoder for queries.

SHELFSIGHT_MODEL_SHARED=true lets them have a CLIP's weights in memory once (docs/encoders.md, Memory).
"""

from backend.settings import load_settings

_server = load_settings().server

bind = f"[{_server.host}]:{_server.port}" if ":" in _server.host else f"{_server.host}:{_server.port}"
worker_class = "gthread"
threads = _server.threads
preload_app = False  # torch and the Qdrant client must be loaded after the fork, or a forward pass may hang
timeout = 120  # a first start may download a model
graceful_timeout = 30
max_requests = 0
accesslog = None
