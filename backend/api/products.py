"""/v1/products: create or replace, change, show, delete."""

from flask import Response, g, jsonify, request
from flask_openapi import APIBlueprint, Tag
from pydantic import BaseModel

from backend.api import received, reference
from backend.api.idempotency import WriteHeaders, once
from backend.api.schemas.body import parse
from backend.api.schemas.product import AcceptedBody, FactsBody, ImageBody, ProductBody, ProductPart, ProductView
from backend.api.waiting import PutHeaders, Waiting
from backend.domain.base64_text import picture_bytes
from backend.domain.picture import Picture
from backend.domain.product import Product, ProductKey
from backend.domain.product_facts import product_id_of, product_of
from backend.domain.work import Accepted, Receipt
from backend.errors import InvalidField, TooManyPictures
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
    waiting = Waiting(services, settings)
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
        responses=reference.answers(
            {"200": ProductView, "201": ProductView, "202": AcceptedBody}, 400, 401, 409, 413, 415, 422, 429, 503
        ),
    )
    def put_product(path: ProductPath, header: PutHeaders) -> Response:
        key = path.key()
        received.content_type(request, received.MULTIPART, received.JSON)
        services.admit.products(g.merchant)  # before the body is read

        def act(receipt: Receipt | None) -> Response:
            accepted, kept = services.upload_product(*_sent(services, settings, key), receipt)
            return waiting.answer(accepted, header.wait_seconds) or _accepted(accepted, kept, location=request.path)

        return once(services, header, act)

    @routes.patch(
        "/<product_id>",
        summary="Change a product's facts (JSON merge patch); pictures stay",
        request_body=patch_body,
        responses=reference.answers({"202": AcceptedBody}, 400, 401, 404, 409, 413, 415, 503),
    )
    def patch_product(path: ProductPath, header: WriteHeaders) -> Response:
        key = path.key()
        received.content_type(request, received.JSON, received.MERGE_PATCH)

        def act(receipt: Receipt | None) -> Response:
            return _accepted(services.patch_product(key, parse(FactsBody, request.get_data()).facts(), receipt))

        return once(services, header, act)

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
        responses=reference.answers({"202": AcceptedBody}, 400, 401, 404, 409, 503),
    )
    def delete_product(path: ProductPath, header: WriteHeaders) -> Response:
        key = path.key()
        return once(services, header, lambda receipt: _accepted(services.delete_product(key, receipt)))

    return routes


def _accepted(
    accepted: Accepted, pictures: tuple[Picture, ...] | None = None, *, location: str | None = None
) -> Response:
    """202. Where to look next: the product, or else the job."""
    body = AcceptedBody.of(accepted, pictures).model_dump(exclude={"images"} if pictures is None else None)
    answer = jsonify(body)
    answer.status_code = 202
    answer.headers["Location"] = location or f"/v1/jobs/{accepted.job_id}"
    return answer


def _sent(services: Services, settings: Settings, key: ProductKey) -> tuple[Product, list[Upload]]:
    """The product and its pictures as this request sends them."""
    if request.mimetype == received.MULTIPART:
        facts = received.json_part(request, "product", ProductPart).facts()
        pictures = received.uploads(received.files(request, "images", beside="product"))
    else:
        body = parse(ProductBody, request.get_data())
        facts = body.facts()
        if len(body.images) > settings.limits.max_pictures:  # before each is decoded or looked up
            raise TooManyPictures(
                f"{len(body.images)} pictures; at most {settings.limits.max_pictures} are allowed", field="images"
            )
        pictures = [_upload(services, settings, item, n) for n, item in enumerate(body.images)]
    return product_of(key, facts, default_currency=settings.currency), pictures


def _upload(services: Services, settings: Settings, image: ImageBody, number: int) -> Upload:
    """A picture of a JSON body. Its bytes are read when the pictures are kept, so that each fails alone."""
    field = f"images[{number}]"
    if sum(given is not None for given in (image.url, image.data, image.image_id)) != 1:
        raise InvalidField("give one of url, data and image_id", field=field)
    if image.url is not None:
        return Upload(field, url=image.url)
    if image.data is not None:
        data = picture_bytes(image.data, f"{field}.data", max_bytes=settings.limits.max_image_bytes)
        return Upload(field, lambda: data)
    image_id, merchant = image.image_id or "", g.merchant
    services.read_image.check(merchant, image_id)
    return Upload(field, lambda: services.read_image.original(merchant, image_id))
