"""Where vectors live: the embedded Qdrant Edge shard, or a Qdrant server. The home of Qdrant.

The server's client is imported by `server_*` modules only, so that the embedded install does not need it.
"""
