"""Searches that cannot be meant."""

from collections.abc import Callable

import httpx

from tests.bad_inputs.case import Case, get, search


def _filter(raw_filter: object) -> Callable[[], httpx.Request]:
    return lambda: search({"text": "dress", "filter": raw_filter})


def _also(**fields: object) -> Callable[[], httpx.Request]:
    return lambda: search({"text": "dress", **fields})


SEARCHES = [
    Case("a search for nothing", lambda: search({}), 400, "query_missing"),
    Case("a search by an unknown field", lambda: search({"phrase": "a"}), 400, "unknown_field", "phrase"),
    Case("an unknown filter", _filter({"colour": "red"}), 400, "invalid_filter", "filter.colour"),
    Case("a filter on another merchant", _filter({"merchant": "other"}), 400, "invalid_filter", "filter.merchant"),
    Case("a filter that is a list", lambda: search({"text": "a", "filter": []}), 400, "invalid_field", "filter"),
    Case("a range upside down", _filter({"price": {"gte": 5, "lt": 4}}), 400, "invalid_filter", "filter.price"),
    Case("a range of words", _filter({"price": {"gte": "cheap"}}), 400, "invalid_filter", "filter.price.gte"),
    Case("a range with no bound", _filter({"price": {}}), 400, "invalid_filter", "filter.price"),
    Case("a range with an unknown bound", _filter({"price": {"from": 1}}), 400, "invalid_filter", "filter.price"),
    Case("a price that is a number", _filter({"price": 5}), 400, "invalid_filter", "filter.price"),
    Case("an empty list", _filter({"brand": []}), 400, "invalid_filter", "filter.brand"),
    Case("stock as a word", _filter({"in_stock": "true"}), 400, "invalid_filter", "filter.in_stock"),
    Case("a filter on a category that climbs", _filter({"category": "../x"}), 400, "invalid_filter", "filter.category"),
    Case("an attribute without a name", _filter({"attributes.": "x"}), 400, "invalid_filter", "filter.attributes."),
    Case(
        "a filter six deep", _filter({"not": {"not": {"not": {"not": {"not": {"brand": "a"}}}}}}), 400, "invalid_filter"
    ),
    Case("a filter of 10,000 values", _filter({"brand": [str(n) for n in range(10_000)]}), 400, "invalid_filter"),
    Case(
        "a filter of nine ranges",
        _filter({f"attributes.a{n}": {"gte": n} for n in range(9)}),
        400,
        "invalid_filter",
        "filter.attributes.a8",
    ),
    Case("a filter of 50,000 filters", _filter({"any": [{}] * 50_000}), 400, "invalid_filter", "filter.any"),
    Case(
        "a filter of 501 filters of a value each",
        _filter({"not": {"any": [{"in_stock": True}] * 501}}),
        400,
        "invalid_filter",
    ),
    Case("a filter on half a character", _filter({"brand": "\ud800"}), 400, "invalid_filter", "filter.brand"),
    Case(
        "a filter on half a character in an attribute",
        _filter({"attributes.colour": ["red", "\udc00"]}),
        400,
        "invalid_filter",
        "filter.attributes.colour",
    ),
    Case("limit 0", get("/v1/search?q=a&limit=0"), 400, "invalid_field", "limit"),
    Case("limit 101", get("/v1/search?q=a&limit=101"), 400, "invalid_field", "limit"),
    Case("limit x", get("/v1/search?q=a&limit=x"), 400, "invalid_field", "limit"),
    Case("limit 101 in JSON", lambda: search({"text": "a", "limit": 101}), 400, "invalid_field", "limit"),
    Case("limit as a string in JSON", lambda: search({"text": "a", "limit": "5"}), 400, "invalid_field", "limit"),
    Case("a negative offset", get("/v1/search?q=a&offset=-1"), 400, "invalid_field", "offset"),
    Case(
        "a page beyond 1,000", lambda: search({"text": "a", "offset": 990, "limit": 20}), 400, "invalid_field", "offset"
    ),
    Case("an unknown parameter", get("/v1/search?q=a&colour=red"), 400, "unknown_field", "colour"),
    Case("a price of NaN in the address", get("/v1/search?q=a&min_price=nan"), 400, "invalid_field", "min_price"),
    Case("text of 100 kB", lambda: search({"text": "a" * 100_000}), 400, "invalid_field", "text"),
    Case("text of spaces", lambda: search({"text": "   "}), 400, "invalid_field", "text"),
    Case(
        "weights of nothing",
        lambda: search({"text": "a", "weights": {"image": 0, "text": 0}}),
        400,
        "invalid_field",
        "weights",
    ),
    Case("words by an unknown name", _also(words="maybe"), 400, "invalid_field", "words"),
    Case(
        "words only, and no text",
        lambda: search({"product_id": "known-1", "words": "only"}),
        400,
        "invalid_field",
        "words",
    ),
    Case(
        "words only, that weigh nothing",
        lambda: search({"product_id": "known-1", "text": "a", "words": "only", "weights": {"image": 1, "text": 0}}),
        400,
        "invalid_field",
        "words",
    ),
    Case(
        "by a picture of one's own and a product",
        lambda: search({"image": {"image_id": "f" * 64}, "product_id": "known-1"}),
        400,
        "invalid_field",
        "product_id",
    ),
    Case("an unknown order", _also(sort="cheapest"), 400, "invalid_field", "sort"),
    Case("an unknown order in the address", get("/v1/search?q=a&sort=price"), 400, "invalid_field", "sort"),
    Case("an unknown facet", _also(facets=["category", "colour"]), 400, "invalid_field", "facets.1"),
    Case("a facet of an attribute without a name", _also(facets=["attributes."]), 400, "invalid_field", "facets.0"),
    Case("a facet that is no name", _also(facets=[5]), 400, "invalid_field", "facets.0"),
    Case("an unknown facet in the address", get("/v1/search?q=a&facet=colour"), 400, "invalid_field", "facets.0"),
    Case("eleven facets", _also(facets=[f"attributes.{n}" for n in range(11)]), 400, "invalid_field", "facets"),
    Case("100,000 facets", _also(facets=["brand"] * 100_000), 400, "invalid_field", "facets"),
    Case("facets over something", _also(facets=["brand"], facets_over="all"), 400, "invalid_field", "facets_over"),
    Case("a least score above 1", _also(min_score=1.5), 400, "invalid_field", "min_score"),
    Case("a least score in words", _also(min_score="high"), 400, "invalid_field", "min_score"),
    Case("a least score of true", _also(min_score=True), 400, "invalid_field", "min_score"),
    Case("a least score of NaN in the address", get("/v1/search?q=a&min_score=nan"), 400, "invalid_field", "min_score"),
    Case(
        "a least score of letters in the address", get("/v1/search?q=a&min_score=x"), 400, "invalid_field", "min_score"
    ),
    Case("near duplicates from 0", _also(collapse=0), 400, "invalid_field", "collapse"),
    Case("near duplicates in words", _also(collapse="yes"), 400, "invalid_field", "collapse"),
    Case("diversity above 1", _also(diversity=2), 400, "invalid_field", "diversity"),
    Case("diversity of a price list", _also(diversity=0.5, sort="price_asc"), 400, "invalid_field", "diversity"),
    Case("a category predicted perhaps", _also(predict_category="yes"), 400, "invalid_field", "predict_category"),
    Case("like an unknown product", lambda: search({"product_id": "nobody"}), 404, "product_not_found", "product_id"),
    Case("like an unknown picture", lambda: search({"image": {"image_id": "f" * 64}}), 404, "image_not_found"),
    Case("like a picture with a climbing id", lambda: search({"image": {"image_id": "../x"}}), 404, "image_not_found"),
]
