"""Everything that can go wrong, drawn as a tree.

Each class carries a stable `code` (part of the public contract: it never changes its meaning) and a `mend`, the
sentence that tells the caller how to put it right. HTTP statuses are not known here; `backend.api.errors` maps the
branches to them, and `docs/errors.md` lists every code (a test holds the two together).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field of the caller's data."""

    field: str
    code: str
    message: str


class ShelfsightError(Exception):
    """Root of the tree. Raised itself only for what no branch describes."""

    code: ClassVar[str] = "internal"
    mend: ClassVar[str] = "This is a fault of the server. Look for the request id in its log."

    def __init__(self, detail: str = "", *, field: str | None = None, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail or self.mend)
        self.detail = detail or self.mend
        self.errors = tuple(errors) or ((FieldError(field, self.code, self.detail),) if field else ())


# --- the caller's data is wrong; nothing was changed ------------------------------------------------------------------


class InvalidInput(ShelfsightError):
    """The request cannot be understood or breaks a rule. Nothing was changed."""

    code = "invalid_request"
    mend = "Correct the fields listed in `errors` and send the request again."


class MissingBody(InvalidInput):
    """A body is needed and none came."""

    code = "body_missing"
    mend = "Send a JSON or multipart body with its Content-Type."


class InvalidJson(InvalidInput):
    """The body is not JSON (RFC 8259: NaN, Infinity and numbers beyond a double are not JSON here)."""

    code = "invalid_json"
    mend = "Send UTF-8 JSON without NaN, Infinity or numbers beyond the range of a double."


class UnsupportedBody(InvalidInput):
    """The Content-Type is none this route reads."""

    code = "unsupported_content_type"
    mend = "Use one of the content types the reference lists for this route."


class BodyTooLarge(InvalidInput):
    """The body, a form field or a number of parts is over its limit."""

    code = "body_too_large"
    mend = "Send less at once; the limits are listed in docs/settings.md."


class UnknownField(InvalidInput):
    """A field the model does not have: refused, so that a misspelt field is never silently ignored."""

    code = "unknown_field"
    mend = "Remove the field or correct its spelling."


class InvalidField(InvalidInput):
    """A field has the wrong type or a value outside its limits."""

    code = "invalid_field"
    mend = "Correct the value; `errors` says what is expected."


class InvalidFilter(InvalidInput):
    """A filter names an unknown field, compares wrongly or nests too deeply."""

    code = "invalid_filter"
    mend = "Use the filter fields and forms of docs/search.md."


class InvalidMerchant(InvalidInput):
    """The merchant header is not a valid merchant name."""

    code = "invalid_merchant"
    mend = "Use 1 to 64 letters, digits, '-' or '_'."


class InvalidBase64(InvalidInput):
    """A picture sent as base64 does not decode."""

    code = "invalid_base64"
    mend = "Send standard base64 (RFC 4648) with padding; a data: URI prefix is allowed."


class QueryMissing(InvalidInput):
    """A search names no picture, no words and no product."""

    code = "query_missing"
    mend = "Give one of: image, text (or q), product_id."


class PicturesMissing(InvalidInput):
    """A product without a picture cannot be found by picture."""

    code = "pictures_missing"
    mend = "Send at least one picture."


class TooManyPictures(InvalidInput):
    """More pictures than a product may have."""

    code = "too_many_pictures"
    mend = "Send fewer pictures; the limit is the setting limits.max_pictures."


# --- a picture cannot be used -----------------------------------------------------------------------------------------


class UnreadableImage(InvalidInput):
    """The bytes are not a picture this system can decode."""

    code = "image_undecodable"
    mend = "Open the picture in an editor and save it again as JPEG or PNG."


class EmptyImage(UnreadableImage):
    """Zero bytes."""

    code = "image_empty"
    mend = "The file is empty; send the picture's bytes."


class UnsupportedImageType(UnreadableImage):
    """The content is none of the admitted formats, whatever the file is called."""

    code = "image_unsupported_type"
    mend = "Send JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF."


class TruncatedImage(UnreadableImage):
    """The file ends before the picture does."""

    code = "image_truncated"
    mend = "The upload was cut off; send the whole file."


class ImageTooLarge(UnreadableImage):
    """More bytes than the limit."""

    code = "image_too_large"
    mend = "Send a smaller file; the limit is the setting limits.max_image_bytes."


class TooManyPixels(UnreadableImage):
    """More pixels than the limit, whatever the file's size (decompression bombs)."""

    code = "image_too_many_pixels"
    mend = "Scale the picture down; the limit is the setting limits.max_pixels."


class ImageTooSmall(UnreadableImage):
    """A side shorter than anything could be recognised on."""

    code = "image_too_small"
    mend = "Send a picture whose sides are at least limits.min_side pixels."


class AspectTooExtreme(UnreadableImage):
    """A strip: scaling its short side to a model's input would need gigabytes."""

    code = "image_aspect_ratio"
    mend = "Crop the picture; the limit is the setting limits.max_aspect."


class DecoderFailed(UnreadableImage):
    """The decoder died of the picture, or needed more memory than it is given."""

    code = "image_decoder_failed"
    mend = "Open the picture in an editor and save it again as JPEG or PNG, smaller if it is large."


class DecodingTooSlow(UnreadableImage):
    """Decoding took longer than it may."""

    code = "image_too_slow"
    mend = "Save the picture again as a plain JPEG or PNG; the limit is the setting decoding.seconds."


class PictureMissing(InvalidInput):
    """A row names a picture file that is not there."""

    code = "picture_missing"
    mend = "Put the file at the path the row names, or correct the path."


# --- a picture cannot be had from its address -----------------------------------------------------------------------


class UnfetchablePicture(InvalidInput):
    """The address gave no picture. `transient`: it may pass by itself, so it is tried again.

    `tried` False: its host was not even asked, for want of a turn, so this does not count as a try.
    """

    code = "url_fetch_failed"
    mend = "Open the address in a browser; send the picture itself if it cannot be made public."
    transient: ClassVar[bool] = False
    tried: bool = True


class UrlInvalid(UnfetchablePicture):
    """Not an http or https address a picture can be fetched from."""

    code = "url_invalid"
    mend = "Send an absolute http:// or https:// address without user name, on a port of fetch.ports."


class UrlNotAllowed(UnfetchablePicture):
    """The address names a host that is not public, or one the installation does not fetch from."""

    code = "url_not_allowed"
    mend = "Use a public host. The settings fetch.allow_hosts, fetch.deny_hosts and fetch.allow_private decide."


class UrlUnreachable(UnfetchablePicture):
    """The host does not resolve, does not answer, or resolves to an address that is not public.

    One code for all three on purpose: telling them apart would let a caller map the server's network.
    """

    code = "url_unreachable"
    mend = "Check the host's name, and that it answers from the public internet."
    transient = True


class UrlTooSlow(UnfetchablePicture):
    """The whole picture did not come in time."""

    code = "url_too_slow"
    mend = "Serve the picture faster or smaller; the limit is the setting fetch.seconds."
    transient = True


class UrlBroken(UnfetchablePicture):
    """The host failed: a status of 5xx or 429, a broken answer, fewer bytes than it announced."""

    code = "url_host_failed"
    mend = "Check the picture's host; the picture is tried again a few times by itself."
    transient = True


class UrlRefused(UnfetchablePicture):
    """The host answered that there is no such picture (4xx)."""

    code = "url_refused"
    mend = "Check the address: the host refused it, the detail has the status."


class TooManyRedirects(UnfetchablePicture):
    """More redirects than are followed."""

    code = "url_too_many_redirects"
    mend = "Send the final address; the limit is the setting fetch.max_redirects."


# --- a catalog file cannot be used ------------------------------------------------------------------------------------


class InvalidArchive(InvalidInput):
    """The ZIP is damaged, encrypted, or holds no manifest."""

    code = "invalid_archive"
    mend = "Send a ZIP with products.csv at its top and the pictures beside it."


class UnsafeArchiveName(InvalidArchive):
    """An entry's name is absolute or climbs out with '..'."""

    code = "archive_unsafe_name"
    mend = "Use relative names below the archive's top."


class MissingColumn(InvalidInput):
    """The CSV's header lacks a required column."""

    code = "csv_missing_column"
    mend = "Add the column; docs/imports.md has the template."


class InvalidJsonLines(InvalidInput):
    """A line, or an element of the array, is not a JSON object."""

    code = "json_row_invalid"
    mend = "Write one JSON object per line (or per element of `products`), as docs/imports.md shows."


class InvalidFeed(InvalidInput):
    """The RSS feed is not XML that is accepted (entities and document types are refused)."""

    code = "feed_invalid"
    mend = "Send an RSS 2.0 feed with <item> elements and the g: namespace, without a DOCTYPE."


class InvalidMapping(InvalidInput):
    """The column mapping names a field or a column that is not there."""

    code = "mapping_invalid"
    mend = "Map product fields to columns of the file: `title=name`."


class TooManyRows(InvalidInput):
    """A file of more products than one import takes. Those read by then stay accepted."""

    code = "import_too_many_rows"
    mend = "Split the file; the limit is the setting limits.max_import_rows."


class ImportFileMissing(InvalidInput):
    """The uploaded file of an import is gone. A state of a job, seen in its ledger only."""

    code = "import_file_missing"
    mend = "Send the file again."


class InvalidCsv(InvalidInput):
    """A row's quoting is broken, it has the wrong number of cells, or it is not UTF-8."""

    code = "csv_invalid"
    mend = 'Write UTF-8, quote with " and double a " inside quotes (RFC 4180).'


# --- what was asked for is not there, or may not be done --------------------------------------------------------------


class NotFound(ShelfsightError):
    """Nothing under that name (for this merchant)."""

    code = "not_found"
    mend = "Check the address."


class ProductNotFound(NotFound):
    """No such product for this merchant."""

    code = "product_not_found"
    mend = "Check the product id, or upload the product first."


class ProductNotSearchable(NotFound):
    """The product exists but no picture of it is in the index (yet)."""

    code = "product_not_searchable"
    mend = "Wait until GET /v1/products/{product_id} says `searchable`, or look there for the reason."


class JobNotFound(NotFound):
    """No such job for this merchant."""

    code = "job_not_found"
    mend = "Check the job id."


class ImageNotFound(NotFound):
    """No such picture for this merchant."""

    code = "image_not_found"
    mend = "Use a picture id that GET /v1/products/{product_id} lists."


class Unauthorized(ShelfsightError):
    """The platform key is missing or wrong."""

    code = "unauthorized"
    mend = "Send `Authorization: Bearer <platform key>`."


class ForeignOrigin(ShelfsightError):
    """An open server on loopback was called by a page of another site, or under another host name (DNS rebinding)."""

    code = "foreign_origin"
    mend = "Call the server under its own address, or set a platform key and send it."


class Conflict(ShelfsightError):
    """Somebody else changed the same thing between reading and writing it, several times in a row."""

    code = "conflict"
    mend = "Send the request again."


class Poison(ShelfsightError):
    """The product, or the row, ended its worker several times in a row and was set aside. A state, never an answer."""

    code = "poison"
    mend = "A picture of this product makes the worker die. Save its pictures anew and upload the product again."


class RepeatedRequest(Conflict):
    """The Idempotency-Key was used already; with the same request its answer is given again."""

    code = "idempotency_key_in_use"
    mend = "The first request with this key is still being answered; send the request again in a moment."


class ReusedKey(Conflict):
    """The Idempotency-Key was used with another request within the last day."""

    code = "idempotency_key_reused"
    mend = "Use a new Idempotency-Key for a new request."


class StaleRows(Conflict):
    """Products moved on between reading and changing them in an import. Never an answer: the step is done again."""

    code = "rows_moved_on"


# --- too much at once; asking again later helps -----------------------------------------------------------------------


class Overloaded(ShelfsightError):
    """More is asked than is taken on at once. Nothing was changed."""

    code = "overloaded"
    mend = "Try again after the time in Retry-After."


class QueueFull(Overloaded):
    """So many products wait already that more would only wait longer."""

    code = "queue_full"
    mend = "Try again after the time in Retry-After; the limits are limits.queue_per_merchant and limits.queue_total."


class TooManyImports(Overloaded):
    """So many imports of this merchant are unread that another would only wait."""

    code = "too_many_imports"
    mend = "Wait until an import has been read; the limit is the setting limits.open_imports."


class TooManyStreams(Overloaded):
    """Every stream of events pins a thread of the server, and as many as may be are open."""

    code = "too_many_streams"
    mend = "Poll GET /v1/jobs/{job_id} with If-None-Match, or try again after the time in Retry-After."


# --- a part is down; asking again later helps -------------------------------------------------------------------------


class Unavailable(ShelfsightError):
    """A part the request needs is not there now. Nothing accepted is lost."""

    code = "unavailable"
    mend = "Try again after the time in Retry-After; `shelfsight doctor` says what is wrong."


class IndexUnavailable(Unavailable):
    """The vector index cannot be read or written."""

    code = "index_unavailable"


class CatalogUnavailable(Unavailable):
    """The catalog's database cannot be read or written."""

    code = "catalog_unavailable"


class BlobsUnavailable(Unavailable):
    """The pictures' store cannot be read or written (a full disk, say)."""

    code = "blobs_unavailable"
    mend = "Free disk space or restore the store; the request can then be sent again."


class QueueUnavailable(Unavailable):
    """The broker does not answer. Uploads are accepted all the same: the sweep rings for them later."""

    code = "queue_unavailable"


class ModelUnavailable(Unavailable):
    """The encoder could not be loaded."""

    code = "model_unavailable"
    mend = "Check the setting `model` and the folder or hub it names; `shelfsight doctor` tries it."


# --- the installation is wrong; a person has to act -------------------------------------------------------------------


class Misconfigured(ShelfsightError):
    """The settings contradict each other or the data; the process refuses to start."""

    code = "misconfigured"
    mend = "Correct the setting the message names."
    exit_status: ClassVar[int] = 78  # sysexits.h EX_CONFIG: a supervisor need not start the process again


class ModelMismatch(Misconfigured):
    """The index was built by another encoder than the one asked for."""

    code = "model_mismatch"
    mend = "Run `shelfsight reindex --model <model>`, or set `model` back to the index's own."


class DataDirectoryInUse(Misconfigured):
    """Another process holds the data directory."""

    code = "data_directory_in_use"
    mend = "Stop the other server, or choose another data directory with SHELFSIGHT_DATA_DIR."


class BackupUnusable(Misconfigured):
    """The folder holds no whole backup this version can read, or something in it was changed or damaged."""

    code = "backup_unusable"
    mend = "Name a folder that `shelfsight backup` has finished; a former or another copy of it may be whole."
