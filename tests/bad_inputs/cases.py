"""Bad requests, each with the status and code it must get. Run against the fakes and, over a socket, a real server.

docs/bad-inputs.md is made from them.
"""

from tests.bad_inputs.addresses import ADDRESSES
from tests.bad_inputs.archives import ZIPS
from tests.bad_inputs.case import Case
from tests.bad_inputs.images import PICTURES
from tests.bad_inputs.requests import BODIES, FACTS, HEADERS, LOOKUPS
from tests.bad_inputs.searches import SEARCHES
from tests.bad_inputs.tables import TABLES
from tests.bad_inputs.texts import TEXTS

GROUPS: dict[str, list[Case]] = {
    "Bodies": BODIES,
    "Pictures": PICTURES,
    "Addresses of pictures": ADDRESSES,
    "Facts": FACTS,
    "Searches": SEARCHES,
    "What is not there": LOOKUPS,
    "Headers and jobs": HEADERS,
    "ZIPs of products": ZIPS,
    "Tables of products": TABLES,
    "JSON and feeds of products": TEXTS,
}

CASES = [case for cases in GROUPS.values() for case in cases]
