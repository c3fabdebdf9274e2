"""Files of products -> rows. Home of CSV, JSON lines, JSON, RSS and ZIP.

`reader` opens a file by its form. A form (`table`, `json_lines`, `json_array`, `feed`) cuts the file into records; a
dialect (`template`, `shopify`, `woocommerce`, `google`, `json_product`) turns records into drafts; `draft` checks a
draft by the rules every door shares. Nothing is unpacked to disk, no name in a file is a path, and nothing but the
record at hand is held in memory.
"""
