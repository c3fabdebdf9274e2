"""Google Merchant Center as RSS: items one by one, and XML that is a weapon."""

import pytest

from backend.domain.importing import FileForm
from backend.errors import InvalidFeed
from backend.manifests.reader import FileReader
from tests.unit.manifests.opening import codes, opened, places, product, rows

RSS = FileForm.RSS
ITEM = (
    "<item><g:id>A-1</g:id><title>Red dress</title>"
    "<g:description>&lt;p&gt;Light &amp;amp; airy&lt;/p&gt;</g:description>"
    "<link>https://shop.example/a</link><g:image_link>https://shop.example/a.jpg</g:image_link>"
    "<g:additional_image_link>https://shop.example/b,c.jpg</g:additional_image_link>"
    "<g:additional_image_link>https://shop.example/d.jpg</g:additional_image_link>"
    "<g:price>59.90 USD</g:price><g:sale_price>49.90 USD</g:sale_price><g:availability>out of stock</g:availability>"
    "<g:brand>Arden</g:brand><g:product_type>Clothing &gt; Dresses</g:product_type><g:color>Red/White</g:color>"
    "<g:item_group_id>G</g:item_group_id><g:shipping><g:price>5 USD</g:price></g:shipping>"
    '<m:title xmlns:m="urn:other">not this</m:title></item>'
)


def feed(*items: str) -> str:
    head = (
        '<?xml version="1.0"?><rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>'
    )
    return f"{head}{''.join(items)}</channel></rss>"


def item(product_id: str, more: str = "") -> str:
    return f"<item><g:id>{product_id}</g:id><g:image_link>https://a/b.jpg</g:image_link>{more}</item>"


def test_an_item_becomes_a_product() -> None:
    with opened(RSS, feed(ITEM), reader=FileReader(max_picture_bytes=1, default_currency="EUR")) as manifest:
        [row] = list(manifest.rows())
        assert manifest.dialect == "google"
        assert manifest.ignored_columns == ("shipping",)
    found = product(row)
    assert (found.key.product_id, found.title, found.description) == ("A-1", "Red dress", "Light & airy")
    assert (found.category, found.brand, found.url) == ("clothing/dresses", "Arden", "https://shop.example/a")
    assert (str(found.price), found.currency, found.in_stock) == ("49.90", "USD", False)
    assert found.attributes == {"color": ("Red", "White"), "item_group_id": "G"}
    assert places(row) == [f"https://shop.example/{name}" for name in ("a.jpg", "b,c.jpg", "d.jpg")]


def test_an_item_of_nothing_but_pictures_is_read_to_its_end() -> None:
    """Each link joined to those before it would copy a terabyte."""
    link = f"<g:additional_image_link>https://a/{'x' * 100}.jpg</g:additional_image_link>"
    reader = FileReader(max_picture_bytes=1, default_currency="EUR")
    [row] = rows(RSS, feed(item("A", link * 100_000)), reader=reader)
    assert places(row) == ["https://a/b.jpg", f"https://a/{'x' * 100}.jpg"]


def test_a_bad_item_fails_alone() -> None:
    found = rows(
        RSS,
        feed(
            item("A 1"),
            item("A-2", "<g:availability>perhaps</g:availability>"),
            item("A-3", "<g:price>free</g:price>"),
            item("A-4", f"<g:description>{'x' * 3_000}</g:description>"),
            item("A-5"),
        ),
    )
    assert codes(found) == ["invalid_field", "invalid_field", "invalid_field", "feed_invalid", None]
    assert [(row.number, row.line) for row in found] == [(n, n) for n in range(1, 6)]
    assert [row.product_id for row in found] == ["A 1", "A-2", "A-3", None, "A-5"]


def test_another_encoding_is_read_when_the_feed_names_it() -> None:
    text = feed(item("A", "<title>café</title>")).replace('"1.0"?>', '"1.0" encoding="ISO-8859-1"?>', 1)
    [row] = rows(RSS, text.encode("latin-1"))
    assert product(row).title == "café"


LAUGHS = (
    '<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><rss><channel><item><id>&b;</id></item></channel></rss>'
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (LAUGHS, "document type"),
        ('<!DOCTYPE rss SYSTEM "file:///etc/passwd"><rss/>', "document type"),
        ("<rss><channel><item><id>&undefined;</id></item></channel></rss>", "not XML"),
        ("<feed/>", "first element"),
        ("<rss><channel>", "not XML"),
        ("", "not XML"),
        ("product_id,image\n", "not XML"),
        ('<?xml version="1.0" encoding="no-such"?><rss/>', "not XML"),
        ("<rss>" + "<a>" * 100, "inside one another"),
        ("<rss><channel><item " + 'a="' + "x" * 500_000, "a tag of more than"),
    ],
)
def test_what_is_no_feed_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidFeed, match=reason):
        opened(RSS, text)


def test_items_before_a_break_are_read() -> None:
    with opened(RSS, feed(item("A"), item("B"), "<")) as manifest:
        reading = manifest.rows()
        assert [next(reading).product_id, next(reading).product_id] == ["A", "B"]
        with pytest.raises(InvalidFeed):
            next(reading)


def test_reading_goes_on_where_it_was() -> None:
    with opened(RSS, feed(*(item(f"A-{n}") for n in range(1, 2_000)))) as manifest:
        assert [row.number for row in manifest.rows(first=1_998)] == [1_998, 1_999]
