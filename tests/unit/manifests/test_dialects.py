"""Exports of shop systems, as their exporters write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.importing import FileForm, Row
from backend.errors import InvalidCsv
from backend.manifests import apart
from backend.manifests.plain_text import attribute_name, category_path, text_of
from backend.manifests.reader import FileReader
from tests.unit.manifests.opening import codes, opened, places, product, rows, zipped

SHOPIFY = (
    "Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,"
    "Option2 Value,Variant SKU,Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,Variant Price,"
    "Image Src,Image Position,Gift Card,Status\n"
)
SHOPIFY_NEW = (
    "Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,Status,SKU,Option1 name,"
    "Option1 value,Price,Inventory tracker,Inventory quantity,Continue selling when out of stock,Product image URL,"
    "Image position\n"
)
WOO = (
    "ID,Type,SKU,Name,Published,Is featured?,Short description,Description,In stock?,Stock,Sale price,Regular price,"
    "Categories,Tags,Images,Parent,Attribute 1 name,Attribute 1 value(s),Attribute 1 visible,Brands\n"
)
GOOGLE = "id\ttitle\timage link\tadditional image link\tavailability\tprice\tgoogle product category\tcolor\tshipping\n"


def shopify(*lines: str) -> list[Row]:
    return rows(FileForm.CSV, SHOPIFY + "".join(f"{line}\n" for line in lines))


def woo(*lines: str) -> list[Row]:
    return rows(FileForm.CSV, WOO + "".join(f"{line}\n" for line in lines))


def test_the_lines_of_a_handle_are_one_product() -> None:
    found = shopify(
        'dress,Linen dress,<p>Light &amp; airy</p>,Arden,Apparel > Dresses,Dress,"summer, linen",true,Size,S,'
        "Colour,Red,D-S,shopify,0,deny,59.90,https://a/2.jpg,2,false,active",
        "dress,,,,,,,,,M,,Red,D-M,shopify,3,deny,54.90,https://a/1.jpg,1,,",
        "dress,,,,,,,,,,,,,,,,,https://a/3.jpg,3,,",
        "mug,Mug,,Corvo,,Kitchen,,true,Title,Default Title,,,M,,,deny,9,https://a/4.jpg,1,false,active",
    )
    dress, mug = found
    assert product(dress).title == "Linen dress"
    assert product(dress).description == "Light & airy"
    assert (product(dress).brand, product(dress).category) == ("Arden", "apparel/dresses")
    assert (str(product(dress).price), product(dress).currency, product(dress).in_stock) == ("54.90", "EUR", True)
    assert product(dress).attributes == {"tags": ("summer", "linen"), "size": ("S", "M"), "colour": "Red"}
    assert places(dress) == ["https://a/1.jpg", "https://a/2.jpg", "https://a/3.jpg"]
    assert (product(mug).category, product(mug).attributes, product(mug).in_stock) == ("kitchen", {}, True)
    assert [(row.number, row.line) for row in found] == [(1, 2), (2, 5)]


@pytest.mark.parametrize(
    ("published", "tracker", "quantity", "policy", "status", "in_stock"),
    [
        ("true", "shopify", "0", "deny", "active", False),
        ("true", "shopify", "-3", "deny", "active", False),
        ("true", "shopify", "0", "continue", "active", True),
        ("true", "shopify", "1", "deny", "active", True),
        ("true", "", "", "deny", "active", True),
        ("true", "", "0", "deny", "active", True),
        ("false", "shopify", "1", "deny", "active", False),
        ("true", "shopify", "1", "deny", "draft", False),
        ("true", "shopify", "1", "deny", "archived", False),
    ],
)
def test_a_product_is_in_stock_when_it_can_be_bought(
    published: str, tracker: str, quantity: str, policy: str, status: str, in_stock: bool
) -> None:
    [row] = shopify(f"a,A,,,,,,{published},,x,,,,{tracker},{quantity},{policy},5,https://a/1.jpg,1,,{status}")
    assert product(row).in_stock is in_stock


def test_without_a_column_of_trackers_an_empty_quantity_is_not_counted() -> None:
    table = "Handle,Title,Variant Price,Variant Inventory Qty\na,A,5,0\nb,B,5,\nc,C,5,2\n"
    assert [product(row).in_stock for row in rows(FileForm.CSV, table)] == [False, True, True]


def test_the_columns_of_the_new_template_mean_the_same() -> None:
    table = SHOPIFY_NEW + (
        "Linen dress,dress,<b>Airy</b>,Arden,Apparel > Dresses,,linen,TRUE,Active,S1,Size,S,59.90,shopify,0,DENY,https://a/1.jpg,1\n"
        ",dress,,,,,,,,S2,,M,49.90,shopify,0,CONTINUE,,\n"
    )
    with opened(FileForm.CSV, table) as manifest:
        assert manifest.dialect == "shopify"
        assert manifest.ignored_columns == ("SKU",)
        [row] = list(manifest.rows())
    assert (product(row).title, product(row).description, str(product(row).price)) == ("Linen dress", "Airy", "49.90")
    assert product(row).in_stock is True
    assert product(row).attributes == {"tags": ("linen",), "size": ("S", "M")}


def test_a_bad_line_does_not_part_its_neighbours_and_a_bad_product_fails_alone() -> None:
    found = shopify(
        "a,A,,,,,,true,,S,,,,shopify,1,deny,5,https://a/1.jpg,1,,",
        "a,too,few",
        "a,,,,,,,,,M,,,,shopify,1,deny,4,https://a/2.jpg,2,,",
        "b,B,,,,,,true,,S,,,,shopify,many,deny,5,https://a/1.jpg,1,,",
        "c,C,,,,,,true,,S,,,,shopify,1,deny,cheap,https://a/1.jpg,1,,",
        "größe,D,,,,,,true,,S,,,,shopify,1,deny,5,https://a/1.jpg,1,,",
        ",,,,,,,,,,,,,,,,,https://a/9.jpg,1,,",
        "e,E,,,,,,true,,S,,,,shopify,1,deny,5,,,,",
    )
    assert codes(found) == ["csv_invalid", None, *["invalid_field"] * 4, None]
    assert len(places(found[1])) == 2
    assert [row.product_id for row in found] == [None, "a", "b", "c", "größe", None, "e"]
    assert found[-1].pictures == ()  # a product without pictures is refused where pictures are kept


def test_a_product_whose_first_line_was_refused_is_refused_with_it() -> None:
    found = shopify(
        "a,A,,,,,,true,,S,,,,shopify,1,deny,5,https://a/1.jpg,1,,",
        "b,B,too few",
        "b,,,,,,,,,M,,,,shopify,1,deny,4,https://a/2.jpg,2,,",
        "b,,,,,,,,,L,,,,shopify,1,deny,4,https://a/2.jpg,2,,",
        "c,,,,,,,true,,S,,,,shopify,1,deny,5,https://a/1.jpg,1,,",  # whose first line says nothing of itself
        "d,too few",
        "e,E,,,,,,true,,S,,,,shopify,1,deny,5,https://a/1.jpg,1,,",
    )
    assert [(row.product_id, row.line) for row in found] == [
        *((None, 3), ("a", 2), ("b", 4), (None, 7), ("c", 6), ("e", 8))  # what cannot be read does not wait for a group
    ]
    assert codes(found) == ["csv_invalid", None, "csv_invalid", "csv_invalid", None, None]
    assert found[2].error is not None
    assert "its first line" in found[2].error.detail


def test_a_table_without_titles_has_no_first_lines_to_miss() -> None:
    table = "Handle,Variant Price\na,too,many\na,5\na,4\n"
    assert codes(rows(FileForm.CSV, table)) == ["csv_invalid", None]


def test_only_as_many_pictures_are_taken_as_a_product_may_have() -> None:
    lines = [f"a,A,,,,,,true,,,,,,,,,5,https://a/{n}.jpg,{n},," for n in range(1, 40)]
    [row] = shopify(*lines)
    assert places(row) == [f"https://a/{n}.jpg" for n in range(1, 17)]


def test_a_product_of_endless_lines_is_not_held_in_memory() -> None:
    line = "a," + "x" * 100_000 + ",,,,,,true,,,,,,,,,5,,,,"
    found = shopify(*[line] * 200, "b,B,,,,,,true,,,,,,,,,5,,,,")
    assert codes(found) == ["csv_invalid", None]


def test_variations_are_merged_into_their_product() -> None:
    found = woo(
        '10,variable,DRESS,Linen dress,1,0,Short,"<p>Light</p>",1,,,,"Clothing, Clothing > Dresses, Sale",'
        '"summer, linen","https://a/1.jpg, https://a/b,c.jpg",,Shoe size,"38, 39\\, wide",1,Arden',
        "11,variation,D-38,Linen dress - 38,1,0,,,0,,,59.90,,,https://a/3.jpg,DRESS,Shoe size,38,,",
        '12,"variation, virtual",D-40,Linen dress - 40,1,0,,,1,,49.90,59.90,,,,id:10,Shoe size,40,,',
        "20,simple,,Mug,1,0,A mug,,0,,,9,Kitchen,,https://a/4.jpg,,,,,",
        "13,variation,D-41,Linen dress - 41,1,0,,,1,,,39.90,,,,DRESS,Shoe size,41,,",
        "30,simple,LAMP,Lamp,-1,0,,,1,,,9,,,https://a/5.jpg,,,,,",
        "31,simple,VASE,Vase,1,0,,,backorder,,,9,,,https://a/5.jpg,,,,,",
        "32,simple,TOY,Toy,1,0,,,perhaps,,,9,,,https://a/5.jpg,,,,,",
    )
    dress, mug, lamp, vase, toy = found
    assert (product(dress).key.product_id, product(dress).title) == ("DRESS", "Linen dress")
    assert (product(dress).description, product(dress).brand) == ("Light", "Arden")
    assert (product(dress).category, str(product(dress).price)) == ("clothing/dresses", "39.90")
    assert product(dress).in_stock is True
    assert product(dress).attributes == {"shoe_size": ("38", "39, wide", "40", "41"), "tags": ("summer", "linen")}
    assert places(dress) == ["https://a/1.jpg", "https://a/b,c.jpg", "https://a/3.jpg"]
    assert (product(mug).key.product_id, product(mug).description, product(mug).in_stock) == ("20", "A mug", False)
    assert (product(lamp).in_stock, product(vase).in_stock, codes([toy])) == (False, True, ["invalid_field"])


BY_ID = (  # all products before all variations, as the exporter writes what was made in that order
    "10,variable,DRESS,Dress,1,0,,,0,,,,,,https://a/1.jpg,,Size,S,1,",
    "11,variable,,Coat,1,0,,,0,,,,,,https://a/2.jpg,,Size,M,1,",
    "20,variation,D-S,Dress - S,1,0,,,0,,,59.90,,,https://a/3.jpg,DRESS,Size,S,,",
    "21,variation,C-M,Coat - M,1,0,,,1,,,89.90,,,,id:11,Size,M,,",
    "22,variation,D-L,Dress - L,1,0,,,1,,,49.90,,,,DRESS,Size,L,,",
)


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (0, 2, 1, 4, 3)])
def test_a_variation_may_stand_anywhere_in_the_file(order: tuple[int, ...]) -> None:
    found = {product(row).title: row for row in woo(*(BY_ID[at] for at in order))}
    assert set(found) == {"Dress", "Coat"}
    dress, coat = product(found["Dress"]), product(found["Coat"])
    assert (str(dress.price), dress.in_stock, dress.attributes["size"]) == ("49.90", True, ("S", "L"))
    assert (str(coat.price), coat.in_stock, coat.key.product_id) == ("89.90", True, "11")
    assert places(found["Dress"]) == ["https://a/1.jpg", "https://a/3.jpg"]


def test_a_variation_that_is_not_published_says_nothing_of_its_product() -> None:
    hidden = "30,variation,D-X,Dress - X,{},0,,,1,,,9.90,,,https://a/9.jpg,DRESS,Size,XS,,"
    for cell in ("0", "-1", "'-1"):
        [row] = woo(BY_ID[0], hidden.format(cell), BY_ID[2])
        assert (str(product(row).price), product(row).in_stock) == ("59.90", False)
        assert product(row).attributes == {"size": "S"}
        assert places(row) == ["https://a/1.jpg", "https://a/3.jpg"]
    [row] = woo(BY_ID[0], hidden.format(1))
    assert (str(product(row).price), product(row).in_stock) == ("9.90", True)


def test_variations_without_their_product_are_refused_behind_everything_else() -> None:
    lines = [
        "20,variation,X-S,Gone - S,1,0,,,1,,,5,,,,GONE,Size,S,,",
        *BY_ID,
        "21,variation,X-M,,1,0,,,1,,,5,,,,GONE,,,,",
    ]
    found = woo(*lines)
    assert codes(found) == [None, None, "invalid_field", "invalid_field"]
    assert [(row.number, row.line, row.product_id) for row in found[2:]] == [(3, 2, "X-S"), (4, 8, "X-M")]
    assert found[2].error is not None
    assert "GONE" in found[2].error.detail
    with opened(FileForm.CSV, WOO + "\n".join(lines)) as manifest:
        for first in range(1, 6):
            again = [(row.number, row.line, row.product) for row in manifest.rows(first=first)]
            assert again == [(row.number, row.line, row.product) for row in found[first - 1 :]]


def test_variations_apart_from_their_products_are_held_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    variations = [f"{n},variation,D-{n},,1,0,,,1,,,5,,,,DRESS,Size,{n},," for n in range(100, 400)]
    monkeypatch.setattr(apart, "MAX_APART_BYTES", 100_000)
    assert codes(woo(BY_ID[0], *variations)) == [None]  # what follows its product is not held
    with pytest.raises(InvalidCsv, match="apart from their products"):
        woo(*BY_ID[:2], *variations)


@pytest.mark.parametrize(
    ("cell", "price"),
    [('"59,90"', "59.90"), ('"1,2345"', "1.2345"), ("59.9", "59.9"), ('"1,234.50"', None), ('"1,2,3"', None)],
)
def test_a_price_may_have_the_comma_of_the_shops_language(cell: str, price: str | None) -> None:
    [row] = woo(f"1,simple,A,Lamp,1,0,,,1,,,{cell},,,https://a/1.jpg,,,,,")
    assert (str(row.product.price) if row.product else None) == price


def test_what_the_exporter_escapes_is_read_as_it_was() -> None:
    draft, shirt = woo(
        "1,simple,A,Lamp,'-1,0,,,1,,,5,,,https://a/1.jpg,,,,,",
        "2,simple,B,'+size 'shirt'='+,1,0,,\"'=First\\nsecond \\\\new\\n\\nthird\",1,,,5,,,"
        '"https://a/w_1\\,h_2/1.jpg, https://a/2.jpg",,Discount,\'-20%,,',
    )
    assert product(draft).in_stock is False
    assert product(shirt).title == "+size 'shirt'='+"
    assert product(shirt).description == "=First second \\new third"
    assert product(shirt).attributes == {"discount": "-20%"}
    assert places(shirt) == ["https://a/w_1,h_2/1.jpg", "https://a/2.jpg"]


def test_the_export_of_woocommerce_is_known_and_its_unread_columns_are_named() -> None:
    with opened(FileForm.CSV, WOO) as manifest:
        assert manifest.dialect == "woocommerce"
        assert manifest.ignored_columns == ("Is featured?", "Stock", "Attribute 1 visible")


def test_a_text_file_of_merchant_center_is_read() -> None:
    table = GOOGLE + (
        "A\tDress\thttps://a/1.jpg\thttps://a/2.jpg,https://a/3.jpg\tin_stock\t1299.00 EUR\t"
        "Apparel > Dresses\tred\tDE:5 EUR\n"
        "B\tMug\thttps://a/1.jpg\t\tpreorder\tUSD 9.50\t2271\t\t\n"
        "C\tLamp\thttps://a/1.jpg\t\tbackorder\t9,50 EUR\t\t\t\n"
    )
    with opened(FileForm.TSV, table) as manifest:
        assert (manifest.dialect, manifest.ignored_columns) == ("google", ("shipping",))
        first, second, third = list(manifest.rows())
    assert (product(first).category, str(product(first).price)) == ("apparel/dresses", "1299.00")
    assert places(first) == [f"https://a/{n}.jpg" for n in (1, 2, 3)]
    assert (product(second).category, product(second).currency, product(second).in_stock) == ("", "USD", True)
    assert codes([third]) == ["invalid_field"]


@pytest.mark.parametrize(
    ("price", "sale_price", "outcome"),
    [
        ("1,299.00 USD", "", "1299.00 USD"),
        ("USD 1,234,567.5", "", "1234567.5 USD"),
        ("1,299 USD", "", None),  # a thousand or one, depending on whom you ask
        ("12,99.00 USD", "", None),
        ("1,299.000,00 USD", "", None),
        ("5.00 EUR", "0.00 EUR", "5.00 EUR"),
        ("5.00 EUR", "0", "5.00 EUR"),
        ("5.00 EUR", "4.00 EUR", "4.00 EUR"),
        ("5.00 EUR", "cheap", None),
        ("0 EUR", "", "0 EUR"),
    ],
)
def test_a_price_of_merchant_center_may_part_its_thousands(price: str, sale_price: str, outcome: str | None) -> None:
    [row] = rows(FileForm.TSV, f"id\ttitle\timage_link\tprice\tsale_price\nA\tA\ta.jpg\t{price}\t{sale_price}\n")
    assert (f"{row.product.price} {row.product.currency}" if row.product else None) == outcome


@pytest.mark.parametrize(
    ("cell", "in_stock"),
    [
        ("available for order", True),
        ("limited availability", True),
        ("Limited_Availability", True),
        ("out of stock", False),
        ("", True),
    ],
)
def test_what_can_be_ordered_is_in_stock(cell: str, in_stock: bool) -> None:
    [row] = rows(FileForm.TSV, f"id\ttitle\timage_link\tavailability\nA\tA\ta.jpg\t{cell}\n")
    assert product(row).in_stock is in_stock


def test_an_export_may_lie_in_a_zip_with_its_pictures() -> None:
    table = 'id,title,image_link,additional_image_link\nA,Dress,a.jpg,"b.jpg, c.jpg"\n'
    [row] = rows(FileForm.ZIP, zipped({"products.csv": table.encode()}))
    assert [ref.entry for ref in row.pictures] == ["a.jpg", "b.jpg", "c.jpg"]


def test_our_own_columns_go_before_anybody_elses() -> None:
    with opened(
        FileForm.CSV, "product_id,image,handle,variant price,id,title,image_link\nA,a.jpg,h,1,2,t,x\n"
    ) as manifest:
        assert manifest.dialect == "shelfsight"


def test_how_many_pictures_is_the_callers_to_say() -> None:
    reader = FileReader(max_picture_bytes=1, default_currency="EUR", max_pictures=1)
    [row] = rows(FileForm.CSV, "id,title,image_link,additional_image_link\nA,t,a.jpg,b.jpg\n", reader=reader)
    assert places(row) == ["a.jpg"]


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One</p><p>two</p>", "One two"),
        ("a < b &amp; c", "a < b & c"),
        ("<style>p {color: red}</style>Red<script>alert('<p>')</script> dress", "Red dress"),
        ("<ul>\n<li>S</li>\n<li>M</li>\n</ul>", "S M"),
        ("<!-- note -->plain", "plain"),
        ("cut <b", "cut <b"),
        ("<script>never closed", ""),
    ],
)
def test_html_becomes_its_text(markup: str, text: str) -> None:
    assert text_of(markup) == text


@given(st.text("<>/abscriptstyle!&;\"' ", max_size=200))
def test_any_markup_becomes_one_line_of_text(markup: str) -> None:
    text = text_of(markup)
    assert text == " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("Clothing > Dresses", "clothing/dresses"),
        ("Tops/Shirts > Long", "tops-shirts/long"),
        ("clothing/dress", "clothing/dress"),
        (" > ", ""),
        ("Ärmel", "ärmel"),
    ],
)
def test_a_category_becomes_a_path_in_lower_case(text: str, path: str) -> None:
    assert category_path(text) == path


def test_an_attributes_name_keeps_what_a_name_may_hold() -> None:
    assert [attribute_name(text) for text in ("Shoe size", "Größe", "pa_color", "§")] == [
        "shoe_size",
        "gr_e",
        "pa_color",
        "",
    ]
