"""Pictures that come as text inside JSON: base64 (RFC 4648), with or without a `data:` prefix (RFC 2397)."""

import base64
import binascii

from backend.errors import InvalidBase64


def picture_bytes(text: str, field: str, *, max_bytes: int) -> bytes:
    """The bytes. Raises `InvalidBase64`, before decoding when the text is too long for `max_bytes`."""
    payload = text.partition(",")[2] if text.startswith("data:") else text
    if len(payload) > max_bytes * 4 // 3 + 4:  # one byte over is refused by the inspection
        raise InvalidBase64(f"more than {max_bytes} bytes", field=field)
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as err:
        raise InvalidBase64(f"not base64: {err}", field=field) from err
