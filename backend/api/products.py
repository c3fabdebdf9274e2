"""/v1/products: create or replace, change, show, delete."""

from flask import Response, g, jsonify, request
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel

from backend.api import received, reference
from backend.api.schemas.body import parse, picture_bytes
from backend.api.schemas.product import AcceptedBody, FactsBody, ImageBody, ProductBody, ProductPart, ProductView
from backend.domain.product import ProductKey
from backend.domain.product_facts import product_id_of, product_of
from backend.errors import InvalidField
from backend.settings import Settings
from backend.usecases.keep_pictures import Upload
from backend.usecases.services import Services

PRODUCTS = Tag(name="products", description="The catalog, product by product.")


class ProductPath(BaseModel):
    """The address of one product."""

    product_id: str

    def key(self) -> ProductKey:
        """The product's key. Raises `InvalidField`."""
        return ProductKey(g.merchant, product_id_of(self.product_id))


def blueprint(services: Services, settings: Settings) -> APIBlueprint:
    """The routes."""
    routes = APIBlueprint(
        "products", __name__, url_prefix="/v1/products", abp_tags=[PRODUCTS], abp_security=reference.NEEDS_KEY
    )
    schemas = routes.components_schemas
    put_body = reference.body(
        {
            received.MULTIPART: reference.multipart("product", ProductPart, "images", many=True, schemas=schemas),
            received.JSON: ProductBody,
        },
        schemas,
    )
    patch_body = reference.body({received.JSON: FactsBody, received.MERGE_PATCH: FactsBody}, schemas)

    @routes.put(
        "/<product_id>",
        summary="Create or replace a product",
        request_body=put_body,
        responses=reference.answers({"202": AcceptedBody}, 400, 401, 413, 415, 422, 503),
    )
    def put_product(path: ProductPath) -> tuple[Response, int, dict[str, str]]:
        key = path.key()
        if received.content_type(request, received.MULTIPART, received.JSON) == received.MULTIPART:
            facts = received.json_part(request, "product", ProductPart).facts()
            pictures = received.uploads(received.files(request, "images", beside="product"))
        else:
            body = parse(ProductBody, request.get_data())
            facts = body.facts()
            pictures = [_upload(services, settings, item, n) for n, item in enumerate(body.images)]
        product = product_of(key, facts, default_currency=settings.currency)
        accepted, kept = services.upload_product(product, pictures)
        return jsonify(AcceptedBody.of(accepted, kept).model_dump()), 202, {"Location": request.path}

    @routes.patch(
        "/<product_id>",
        summary="Change a product's facts (JSON merge patch); pictures stay",
        request_body=patch_body,
        responses=reference.answers({"202": AcceptedBody}, 400, 401, 404, 409, 413, 415, 503),
    )
    def patch_product(path: ProductPath) -> tuple[Response, int]:
        key = path.key()
        received.content_type(request, received.JSON, received.MERGE_PATCH)
        accepted = services.patch_product(key, parse(FactsBody, request.get_data()).facts())
        return jsonify(AcceptedBody.of(accepted).model_dump(exclude={"images"})), 202

    @routes.get(
        "/<product_id>",
        summary="A product, its state, and what became of its pictures",
        responses=reference.answers({"200": ProductView}, 400, 401, 404, 503),
    )
    def get_product(path: ProductPath) -> Response:
        return jsonify(ProductView.of(services.read_product(path.key())).model_dump(mode="json"))

    @routes.delete(
        "/<product_id>",
        summary="Delete a product: gone from search at once",
        responses=reference.answers({"202": AcceptedBody}, 400, 401, 404, 503),
    )
    def delete_product(path: ProductPath) -> tuple[Response, int]:
        accepted = services.delete_product(path.key())
        return jsonify(AcceptedBody.of(accepted).model_dump(exclude={"images"})), 202

    return routes


def _upload(services: Services, settings: Settings, image: ImageBody, number: int) -> Upload:
    """A picture of a JSON body. Its bytes are read when the pictures are kept, so that each fails alone."""
    field = f"images[{number}]"
    if (image.data is None) == (image.image_id is None):
        raise InvalidField("give either data or image_id", field=field)
    if image.data is not None:
        data = picture_bytes(image.data, f"{field}.data", max_bytes=settings.limits.max_image_bytes)
        return Upload(field, lambda: data)
    image_id, merchant = image.image_id or "", g.merchant
    services.read_image.check(merchant, image_id)
    return Upload(field, lambda: services.read_image.original(merchant, image_id))
