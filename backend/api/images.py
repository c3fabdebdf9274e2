"""/v1/images: thumbnails of products' pictures."""

from flask import Response, g, request
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, Field

from backend.api import reference
from backend.usecases.services import Services

IMAGES = Tag(name="images", description="Pictures.")
_FOR_EVER = "private, max-age=31536000, immutable"  # the id is the content's hash; private, for a key may guard it


class ImagePath(BaseModel):
    """The address of one picture."""

    image_id: str


class ThumbnailParameters(BaseModel):
    """In which size."""

    model_config = ConfigDict(extra="forbid")

    width: int = Field(320, ge=16, le=1600, description="At most this wide, in pixels; pictures are never enlarged.")


def blueprint(services: Services) -> APIBlueprint:
    """The routes."""
    routes = APIBlueprint(
        "images", __name__, url_prefix="/v1/images", abp_tags=[IMAGES], abp_security=reference.NEEDS_KEY
    )
    jpeg = {"description": "A JPEG.", "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}

    @routes.get(
        "/<image_id>",
        summary="A thumbnail, cacheable for ever",
        responses=reference.answers({"200": jpeg}, 400, 401, 404, 503),
    )
    def get_image(path: ImagePath, query: ThumbnailParameters) -> Response:
        etag = f"{path.image_id}-{query.width}"
        if request.if_none_match.contains_weak(etag):
            services.read_image.check(g.merchant, path.image_id)
            answer = Response(status=304)
        else:
            data = services.read_image.thumbnail(g.merchant, path.image_id, query.width)
            answer = Response(data, content_type="image/jpeg")
        answer.set_etag(etag)
        answer.headers["Cache-Control"] = _FOR_EVER
        return answer

    return routes
