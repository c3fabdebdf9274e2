"""gunicorn for the HTTP door in server mode. Each process loads the encoder for queries, about 1 GB with CLIP."""

import os

bind = f"{os.environ.get('SHELFSIGHT_SERVER__HOST', '127.0.0.1')}:{os.environ.get('SHELFSIGHT_SERVER__PORT', '8080')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
worker_class = "gthread"
threads = int(os.environ.get("SHELFSIGHT_SERVER__THREADS", "8"))
preload_app = False  # torch and the Qdrant client must be loaded after the fork, or a forward pass may hang
timeout = 120  # a first start may download a model
graceful_timeout = 30
max_requests = 0
accesslog = None
