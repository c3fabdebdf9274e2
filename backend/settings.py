"""The one place that reads the environment. Every variable begins with SHELFSIGHT_; nested names join with `__`.

`SHELFSIGHT_SERVER__PORT=9000` sets `server.port`. docs/settings.md lists all of them, and a test holds it to that.
"""

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from backend.domain.product_facts import CURRENCY_PATTERN
from backend.errors import Misconfigured


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Group):
    """The HTTP door."""

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. Any other than loopback refuses to start without a platform key.",
    )
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one (tests).")
    threads: int = Field(
        8,
        ge=2,
        le=64,
        description="Requests served at once. Searches share one model, so more threads mostly queue.",
    )
    platform_key: SecretStr | None = Field(
        None,
        description="The key every request must carry as `Authorization: Bearer`. At least 16 characters.",
    )
    platform_key_file: Path | None = Field(
        None, description="A file holding the platform key, for secrets mounted by an orchestrator."
    )


class WorkerSettings(_Group):
    """What turns accepted products into searchable ones."""

    threads: int = Field(
        3,
        ge=1,
        le=16,
        description="Batches of uploads at once, and as many of imports: one more than cores, as one reads or writes.",
    )
    batch: int = Field(
        32,
        ge=1,
        le=256,
        description="Products claimed together and pictures per forward pass: beyond 32 a CPU gains nothing.",
    )
    lease_seconds: float = Field(
        60.0,
        gt=1,
        description="How long a claim holds before the sweep takes it back; must exceed the longest batch.",
    )
    sweep_seconds: float = Field(
        5.0,
        gt=0.1,
        description="How often lost leases and lost doorbells are looked for: the longest a lost message delays.",
    )
    max_attempts: int = Field(
        2, ge=1, description="How often a product may end its worker before it is set aside as `poison`."
    )
    fetch_threads: int = Field(
        2,
        ge=1,
        le=32,
        description="Batches of picture addresses being fetched at once: one slow host holds up one of them.",
    )
    merchant_weights: dict[str, int] = Field(
        {},
        description='Shares of the workers, as JSON: {"acme": 3} gives acme three turns for one of any other.',
    )
    tombstone_seconds: float = Field(
        3600.0,
        gt=0,
        description="How long the index remembers a removed picture, so that no late writer brings it back.",
    )
    purge_seconds: float = Field(
        3600.0, gt=0, description="How often pictures no product has any more are looked for and removed."
    )
    purge_grace_seconds: float = Field(
        86_400.0,
        gt=0,
        description="How long an unused picture is kept: an upload that is under way or repeated may need it.",
    )
    check_seconds: float = Field(
        3600.0,
        ge=0,
        description="How often a few searches are compared with exact ones, for the status' `index.recall`; 0: never.",
    )
    job_retention_days: int = Field(
        90,
        ge=1,
        le=36_500,
        description="Days a finished job and its items can be read; a million rows take 0.2 GB on the disk.",
    )

    @property
    def tasks(self) -> int:
        """Tasks under way at once: uploads, rows of imports, addresses, one batch of new facts, one file being read."""
        return 2 * self.threads + self.fetch_threads + 2


class LimitSettings(_Group):
    """What a caller may send. Each bound keeps one request from hurting the others."""

    max_image_bytes: int = Field(20_000_000, ge=1_000, description="Bytes per picture: a 50-megapixel JPEG fits.")
    max_pixels: int = Field(50_000_000, ge=10_000, description="Pixels per picture: 150 MB decoded; stops bombs.")
    min_side: int = Field(16, ge=1, description="Shortest side in pixels: below it nothing can be recognised.")
    max_aspect: float = Field(
        20.0,
        ge=1,
        description="Longest to shortest side: a strip scaled to a model's input would need gigabytes.",
    )
    max_pictures: int = Field(16, ge=1, le=100, description="Pictures per product.")
    max_upload_bytes: int = Field(
        100_000_000,
        ge=1_000,
        description="Bytes per request other than an import: several full pictures, or their base64.",
    )
    max_import_bytes: int = Field(2_000_000_000, ge=1_000, description="Bytes per import file.")
    queue_per_merchant: int = Field(
        200_000,
        ge=1,
        description="Products of one merchant that may wait; beyond it uploads and imports are answered with 429.",
    )
    queue_total: int = Field(1_000_000, ge=1, description="Products of all merchants that may wait.")
    open_imports: int = Field(16, ge=1, description="Imports of one merchant that may be unread at once.")
    wait_seconds: float = Field(
        30.0, ge=0, description="Longest `Prefer: wait`; each wait pins a thread, so a third of them may wait at once."
    )
    stream_seconds: float = Field(
        60.0, gt=0, description="Longest life of a stream of events; a browser opens a new one by itself."
    )
    max_import_rows: int = Field(
        1_000_000, ge=1, description="Products per import file: its ledger stays in reach of a person and a page."
    )
    max_text: int = Field(1_000, ge=1, description="Characters of words in a search: models read about 77 tokens.")
    cached_query_vectors: int = Field(
        4_096,
        ge=0,
        description="Vectors of searches kept for their repetition: 8 MB at 512 dimensions. 0 computes each anew.",
    )


class DecodingSettings(_Group):
    """Where pictures are decoded: in processes of their own, so that a crash or a hang costs one picture."""

    processes: int = Field(
        0, ge=0, le=64, description="Decoding processes; 0 takes one per worker thread and one for searches."
    )
    seconds: float = Field(10.0, gt=0, description="Longest time for one picture; 50 megapixels take about two.")
    memory_bytes: int = Field(
        1_000_000_000,
        ge=200_000_000,
        description="Memory of one decoding process; 50 megapixels at 16 bits need 0.4 GB.",
    )


class FetchSettings(_Group):
    """Pictures fetched from addresses merchants name."""

    seconds: float = Field(10.0, gt=0, description="Longest time for one picture, redirects included.")
    max_redirects: int = Field(
        3, ge=0, le=10, description="Redirects followed; each is checked like the first address."
    )
    per_host: int = Field(4, ge=1, le=64, description="Fetches from one host at once.")
    ports: list[int] = Field([80, 443], description="Ports pictures may be fetched from, as JSON.")
    allow_hosts: list[str] = Field(
        [], description='Hosts to fetch from, as JSON; "*.shop.example" covers all below. Empty: all.'
    )
    deny_hosts: list[str] = Field([], description="Hosts never to fetch from, as JSON, in the same form.")
    allow_private: bool = Field(
        False,
        description="Fetch from private, loopback and other non-public addresses too. Only for trusted merchants.",
    )
    tries: int = Field(4, ge=1, le=20, description="Times a picture is tried when its host fails or is slow.")
    backoff_seconds: float = Field(
        5.0, gt=0, description="Pause before the second try; it doubles with each, with jitter."
    )
    fresh_seconds: float = Field(
        300.0, ge=0, description="For so long an address fetched already is not asked again; later it is asked by ETag."
    )


class StoreSettings(_Group):
    """Where things live when one machine is outgrown. Empty means embedded, inside the data directory."""

    catalog_url: str | None = Field(
        None,
        description="SQLAlchemy URL such as postgresql+psycopg://user@host/db. Empty: SQLite in the data directory.",
    )
    broker_url: str | None = Field(
        None, description="redis:// URL of Redis or Valkey. Empty: a private Valkey child process."
    )
    index_graph_points: int = Field(
        100_000,
        ge=0,
        description="Pictures from which the embedded index gets a graph, built beside it: minutes, twice its disk. "
        "0: never.",
    )
    index_held_share: float = Field(
        0.25,
        ge=0,
        le=0.5,
        description="Of the machine's memory, what the embedded index may take to be held there, so that no search "
        "waits for the disk (Linux, as far as `ulimit -l` permits). 0: never.",
    )
    qdrant_url: str | None = Field(
        None, description="http(s):// URL of a Qdrant server. Empty: Qdrant Edge in the process."
    )
    qdrant_api_key: SecretStr | None = Field(
        None, description="The Qdrant server's API key. Over http:// anyone on the way can read it."
    )
    qdrant_collection: str = Field(
        "shelfsight",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="Collection that holds the index on a Qdrant server.",
    )
    qdrant_timeout_seconds: float = Field(
        10.0, gt=0, description="Longest wait for one answer of the Qdrant server, in whole seconds, rounded up."
    )
    qdrant_grpc: bool = Field(
        True,
        description="Speak gRPC: vectors travel as bytes, not as text. Off where only the port of the URL is open.",
    )
    qdrant_grpc_port: int = Field(6334, ge=1, le=65535, description="The Qdrant server's port for gRPC.")
    qdrant_ca_file: Path | None = Field(
        None,
        description="PEM file of the authorities that may vouch for an https:// Qdrant. Empty: the public ones.",
    )
    qdrant_tries: int = Field(
        3,
        ge=1,
        le=10,
        description="How often a call is made when it may help: a node restarts, is busy. Writes may be repeated.",
    )
    qdrant_backoff_seconds: float = Field(
        0.2, gt=0, le=2, description="Pause before the second try; it doubles with each up to 2 s, with jitter."
    )
    qdrant_shards: int | None = Field(
        None,
        ge=1,
        description="Parts the collection is cut into, for its life: a multiple of the nodes. Empty: one a node.",
    )
    qdrant_replicas: int = Field(
        1, ge=1, description="Copies of each shard on different nodes: with 2, a node may fail and search goes on."
    )
    qdrant_write_replicas: int = Field(
        1, ge=1, description="Copies that must confirm a write. With 2, none that was confirmed dies with one node."
    )
    qdrant_write_ordering: Literal["weak", "medium", "strong"] = Field(
        "weak",
        description="How writes are ordered among copies. `weak` is enough: each is on condition of its version.",
    )
    qdrant_read_replicas: PositiveInt | Literal["majority", "quorum", "all"] = Field(
        1,
        description="Copies that must agree on an answer. 1 is fastest, and may be a write behind for a moment.",
    )
    qdrant_vectors_on_disk: bool = Field(
        False, description="Whole vectors on the disk, only codes in memory: a quarter of the memory; wants fast disks."
    )
    qdrant_codes: Literal["none", "int8", "turbo4"] = Field(
        "int8",
        description="What is compared first: `int8` takes a quarter of a whole vector's bytes, `turbo4` an eighth.",
    )
    qdrant_graph_links: int = Field(
        16, ge=4, le=128, description="Links a picture in a merchant's graph: more find more, and take memory and time."
    )
    qdrant_graph_candidates: int = Field(
        100,
        ge=10,
        le=2_000,
        description="Candidates for a picture's links while the graph is built: more, better, slower.",
    )
    qdrant_exact_below: int = Field(
        10_000,
        ge=1,
        description="Pictures a filter may leave that are all compared, which is exact; above it the graph is walked.",
    )
    blobs_url: str | None = Field(
        None,
        pattern="^s3://",
        description="s3://bucket/prefix for pictures and files of imports; keys as for AWS. Empty: the data directory.",
    )
    blobs_endpoint: str | None = Field(
        None, pattern="^https?://", description="http(s):// URL of another S3-compatible store. Empty: AWS."
    )


class Settings(BaseSettings):
    """All settings of a process."""

    model_config = SettingsConfigDict(
        env_prefix="SHELFSIGHT_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        env_ignore_empty=True,
    )

    data_dir: Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())] = Field(
        Path("shelfsight-data"),
        validate_default=True,
        description="Everything Shelfsight keeps: catalog, pictures, index, queue.",
    )
    model: str = Field(
        "auto",
        min_length=1,
        description="The encoder, chosen once per index: `auto`, `packaged`, a hub name like clip-ViT-B-32, a folder.",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="Where the encoder runs; `auto` takes a GPU if there is one."
    )
    model_threads: int = Field(
        0,
        ge=0,
        le=256,
        description="Threads of one forward pass on a CPU; 0 is 1 for the packaged encoder, every core for a CLIP.",
    )
    model_shared: bool = Field(
        False,
        description="Processes of one machine map one copy of a CLIP's weights: less memory, searches twice as long.",
    )
    precision: Literal["auto", "float32"] = Field(
        "auto",
        description="`auto` computes in fewer bits where that is faster and the vectors stay the same (checked).",
    )
    text_model: str | None = Field(
        None,
        description="Reads search texts in a CLIP's place, e.g. clip-ViT-B-32-multilingual-v1 beside clip-ViT-B-32.",
    )
    currency: str = Field(
        "EUR",
        pattern=f"^{CURRENCY_PATTERN}$",
        description="Currency of prices and price filters that name none (ISO 4217).",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="What is worth a line in the log."
    )
    server: ServerSettings = ServerSettings()
    worker: WorkerSettings = WorkerSettings()
    limits: LimitSettings = LimitSettings()
    decoding: DecodingSettings = DecodingSettings()
    fetch: FetchSettings = FetchSettings()
    stores: StoreSettings = StoreSettings()

    @property
    def embedded(self) -> bool:
        """Whether the index lives in this process (so exactly one process may serve and work)."""
        return self.stores.qdrant_url is None

    @property
    def snapshots(self) -> Path:
        """Where a running server lays a copy of its index for a backup to fetch."""
        return self.data_dir / "snapshots"

    def platform_key(self) -> str | None:
        """The platform key from the environment or its file; None when there is none. Raises `Misconfigured`."""
        server = self.server
        key = server.platform_key.get_secret_value() if server.platform_key else None
        if key is None and server.platform_key_file is not None:
            try:
                key = server.platform_key_file.read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as err:
                raise Misconfigured(f"server.platform_key_file cannot be read: {err}") from err
        if key is not None and (len(key) < MIN_KEY_LENGTH or not key.isascii() or not key.isprintable()):
            raise Misconfigured(f"the platform key needs at least {MIN_KEY_LENGTH} printable ASCII characters")
        return key

    def door_key(self, *, always: bool = False) -> str | None:
        """The key the HTTP door must ask for; None is an open door, which only a loopback address may have.

        Raises `Misconfigured` when a key is needed (`always`, or another address than loopback) and none is set.
        """
        key = self.platform_key()
        if key is None and (always or not is_loopback(self.server.host)):
            raise Misconfigured(
                f"listening on {self.server.host} needs a platform key: set SHELFSIGHT_SERVER__PLATFORM_KEY or "
                "SHELFSIGHT_SERVER__PLATFORM_KEY_FILE. "
                "To make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
        return key


MIN_KEY_LENGTH = 16  # 96 bits as base64: beyond guessing, short enough to type


def load_settings(**given: object) -> Settings:
    """Settings from the environment, with `given` before it. Raises `Misconfigured` naming each wrong variable."""
    known = {f"SHELFSIGHT_{name.upper()}" for name in Settings.model_fields}
    for name in os.environ:
        if name.startswith("SHELFSIGHT_") and name.partition("__")[0] not in known | {*ALLOWED_BESIDE}:
            raise Misconfigured(f"{name} is not a setting; docs/settings.md lists them")
    try:
        return Settings(**given)  # type: ignore[arg-type] # values of the command line, checked by the model
    except ValidationError as err:
        wrong = "; ".join(
            f"SHELFSIGHT_{'__'.join(str(part) for part in item['loc']).upper()}: {item['msg']}" for item in err.errors()
        )
        raise Misconfigured(wrong) from err


ALLOWED_BESIDE = (
    "SHELFSIGHT_CLOTHING",
    "SHELFSIGHT_TEST_QDRANT_URL",
    "SHELFSIGHT_TEST_POSTGRES_URL",
)  # the tests' own
"""Variables with our prefix that are no settings."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
