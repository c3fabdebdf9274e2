"""Files of products -> rows: home of CSV and ZIP. Nothing is unpacked to disk and no name in a file is a path."""
