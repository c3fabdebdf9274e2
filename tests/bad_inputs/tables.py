"""CSVs and TSVs: refused as a whole, or row by row in the ledger."""

from tests.bad_inputs.case import CSV, IMPORTS, TSV, Case, import_of, raw, request

TABLES = [
    Case("an empty CSV", import_of(b"\n", CSV), 422, "csv_invalid", "header"),
    Case("a CSV without its columns", import_of("title\nA\n", CSV), 422, "csv_missing_column", "product_id"),
    Case("a CSV without pictures", import_of("product_id,title\nbad-1,A\n", CSV), 422, "csv_missing_column", "image"),
    Case(
        "a CSV parted by semicolons",
        import_of("product_id;image\nbad-1;a.jpg\n", CSV),
        422,
        "csv_missing_column",
        "product_id",
    ),
    Case("a CSV that names a column twice", import_of("product_id,image,image\n", CSV), 422, "csv_invalid", "header"),
    Case("a CSV in UTF-16", import_of("product_id,image\n".encode("utf-16"), CSV), 422, "csv_invalid", "header"),
    Case("a CSV of zeros", import_of(bytes(10_000), CSV), 422, "csv_invalid", "header"),
    Case("a CSV whose header has bad quoting", import_of('"product_id"x,image\n', CSV), 422, "csv_invalid", "header"),
    Case(
        "a CSV of 100,000 columns",
        import_of("product_id,image," + ",".join(f"c{n}" for n in range(100_000)), CSV),
        422,
        "csv_invalid",
        "header",
    ),
    Case(
        "a TSV sent as CSV",
        import_of("product_id\timage\nbad-1\ta.jpg\n", CSV),
        422,
        "csv_missing_column",
        "product_id",
    ),
    Case(
        "a mapping of an unknown field", import_of("id,image\n", CSV, map="colour=id"), 422, "mapping_invalid", "colour"
    ),
    Case(
        "a mapping to a column that is not there",
        import_of("sku,image\n", CSV, map="product_id=id"),
        422,
        "mapping_invalid",
        "product_id",
    ),
    Case("a mapping that is none", import_of("product_id,image\n", CSV, map="title"), 422, "mapping_invalid", "map"),
    Case(
        "a field mapped twice",
        lambda: raw("POST", f"{IMPORTS}?map=title=a&map=title=b", "product_id,image,a,b\n", CSV),
        422,
        "mapping_invalid",
        "map",
    ),
    Case("a mode that is none", import_of("product_id,image\n", CSV, mode="merge"), 400, "invalid_field", "mode"),
    Case("a form that is none", import_of("product_id,image\n", CSV, form="xls"), 400, "invalid_field", "form"),
    Case(
        "an unknown parameter of an import", import_of("product_id,image\n", CSV, dry="1"), 400, "unknown_field", "dry"
    ),
    Case(
        "an import of two files",
        lambda: request("POST", IMPORTS, files=[("file", ("a.csv", b"a")), ("file", ("b.csv", b"b"))]),
        400,
        "invalid_field",
        "file",
    ),
    Case(
        "an import of a file of no known form",
        lambda: request("POST", IMPORTS, files={"file": ("a.xls", b"a", "application/vnd.ms-excel")}),
        415,
        "unsupported_content_type",
    ),
    Case("a row with too few cells", import_of("product_id,image\nbad-1\n", CSV), 202, "csv_invalid", where="row"),
    Case(
        "a row with bad quoting", import_of('product_id,image\n"bad-1"x,a.jpg\n', CSV), 202, "csv_invalid", where="row"
    ),
    Case(
        "a row whose quote is never closed",
        import_of('product_id,image\n"bad-1,a.jpg\n', CSV),
        202,
        "csv_invalid",
        where="row",
    ),
    Case(
        "a row that is not UTF-8",
        import_of(b"product_id,image\nbad-1,caf\xe9.jpg\n", CSV),
        202,
        "csv_invalid",
        where="row",
    ),
    Case(
        "a row without an id", import_of("product_id,image\n,a.jpg\n", CSV), 202, "invalid_field", "product_id", "row"
    ),
    Case(
        "a row with a climbing id",
        import_of("product_id,image\n../bad,a.jpg\n", CSV),
        202,
        "invalid_field",
        "product_id",
        "row",
    ),
    Case(
        "a row with a price that is a word",
        import_of("product_id,image,price\nbad-1,a.jpg,cheap\n", CSV),
        202,
        "invalid_field",
        "price",
        "row",
    ),
    Case(
        "a row with stock that is a word",
        import_of("product_id,image,in_stock\nbad-1,a.jpg,maybe\n", CSV),
        202,
        "invalid_field",
        "in_stock",
        "row",
    ),
    Case(
        "a row with a title of 600 characters",
        import_of(f"product_id,image,title\nbad-1,a.jpg,{'x' * 600}\n", CSV),
        202,
        "invalid_field",
        "title",
        "row",
    ),
    Case(
        "a row with a cell of 5 MB",
        lambda: raw("POST", IMPORTS, f"product_id,image\nbad-1,{'x' * 5_000_000}\n", CSV),
        202,
        "csv_invalid",
        where="row",
    ),
    Case(
        "a row without a picture",
        import_of("product_id,image\nbad-1,\n", CSV),
        202,
        "pictures_missing",
        "images",
        "row",
    ),
    Case(
        "a row with a file's name and no ZIP",
        import_of("product_id,image\nbad-1,a.jpg\n", CSV),
        202,
        "picture_missing",
        "images[0]",
        "row",
    ),
    Case(
        "a row with 17 pictures",
        import_of(
            "product_id,image\nbad-1," + "|".join(f"https://shop.example/{n}.jpg" for n in range(17)) + "\n", CSV
        ),
        202,
        "too_many_pictures",
        "images",
        "row",
    ),
    Case(
        "a row of a TSV with a bad currency",
        import_of("product_id\timage\tprice\tcurrency\nbad-1\ta.jpg\t1\teuro\n", TSV),
        202,
        "invalid_field",
        "currency",
        "row",
    ),
    Case(
        "a row that patches a product that is not there",
        import_of("product_id,price\nnobody,5\n", CSV, mode="patch"),
        202,
        "product_not_found",
        "product_id",
        "row",
    ),
    Case(
        "a row that patches a bad price",
        import_of("product_id,price\nknown-1,-5\n", CSV, mode="patch"),
        202,
        "invalid_field",
        "price",
        "row",
    ),
]
