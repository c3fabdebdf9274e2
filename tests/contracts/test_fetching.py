"""What becomes of fetched pictures: part of what every `ports.Ledger` promises, on every backend."""

from dataclasses import replace
from datetime import timedelta

from backend.domain.job import ItemState, JobKind
from backend.domain.picture import Picture, PictureState
from backend.domain.product import ProductState
from backend.domain.work import Claim, Fetching, Outcome, Work
from backend.errors import Poison
from tests.contracts.catalog_backends import LEASE, Store, read
from tests.factories import change, content_hash, deletion, facts_change, picture, refused_picture, url_picture


def fetched(url_name: str, content: str | None = None) -> Picture:
    """A picture whose bytes have come."""
    return replace(url_picture(url_name), content_hash=content_hash(content or url_name))


def unfetchable(url_name: str) -> Picture:
    return replace(url_picture(url_name), state=PictureState.FAILED, code="url_refused", detail="404")


def begin(store: Store, *pictures: Picture, kind: JobKind = JobKind.UPLOAD) -> Claim:
    """The product's pictures are being fetched."""
    store.upload(change("p-1", pictures=pictures), kind=kind)
    [claim] = store.claim(work=Work.FETCH)
    return claim


def test_what_was_fetched_is_kept_by_place_and_the_product_goes_on_to_be_reconciled(store: Store) -> None:
    kept, broken = picture("here"), refused_picture()
    claim = begin(store, kept, url_picture("a"), broken, url_picture("b"), url_picture("a"))
    now = (kept, fetched("a"), broken, unfetchable("b"), fetched("a", "another answer"))
    store.ledger.record_fetches([Fetching(claim, now)])
    record = read(store)
    assert (record.pictures, record.state, record.version) == (now, ProductState.PENDING, 1)
    assert store.claim(work=Work.FETCH) == []
    [onward] = store.claim(work=Work.UPLOADS)
    assert (onward.version, onward.attempts) == (1, 1)


def test_pictures_fetched_are_pictures_of_the_merchant(store: Store) -> None:
    claim = begin(store, url_picture("a"))
    assert not store.catalog.owns_image("shop", content_hash("a"))
    store.ledger.record_fetches([Fetching(claim, (fetched("a"),))])
    assert store.catalog.owns_image("shop", content_hash("a"))
    assert store.catalog.referenced([content_hash("a")]) == {content_hash("a")}


def test_a_product_of_which_nothing_can_be_fetched_goes_on_as_well(store: Store) -> None:
    claim = begin(store, url_picture("a"))
    store.ledger.record_fetches([Fetching(claim, (unfetchable("a"),))])
    assert store.claimed_ids(work=Work.FETCH) == []
    assert store.claimed_ids() == ["p-1"]


def test_uploads_and_imports_stay_apart_and_keep_their_place(store: Store) -> None:
    for product_id, kind in (("import", JobKind.IMPORT), ("first", JobKind.UPLOAD)):
        store.upload(change(product_id, pictures=(url_picture(product_id),)), kind=kind)
    claims = store.claim(work=Work.FETCH)
    store.upload(change("later-import"), kind=JobKind.IMPORT)
    store.upload(change("later"))
    store.ledger.record_fetches([Fetching(it, (fetched(it.key.product_id),)) for it in claims])
    assert store.claimed_ids() == ["first", "later", "import", "later-import"]


def test_what_did_not_come_is_fetched_again_when_it_is_said_to_be(store: Store) -> None:
    claim = begin(store, url_picture("a"), url_picture("b"))
    assert claim.fetches == 0
    for tries in (1, 2):
        again_at = store.clock.now + timedelta(seconds=30)
        store.ledger.record_fetches([Fetching(claim, (fetched("a"), url_picture("b")), again_at)])
        assert read(store).pictures == (fetched("a"), url_picture("b"))
        assert store.claimed_ids() == store.claimed_ids(work=Work.FETCH) == []
        store.clock.advance(31)
        [claim] = store.claim(work=Work.FETCH)
        assert (claim.fetches, claim.attempts) == (tries, 1)
    store.ledger.record_fetches([Fetching(claim, (fetched("a"), fetched("b")))])
    assert store.claimed_ids() == ["p-1"]


def test_a_fetch_that_was_no_try_waits_for_its_moment_and_is_not_counted(store: Store) -> None:
    claim = begin(store, url_picture("a"))
    for tried, fetches in ((False, 1), (False, 1), (True, 2), (False, 2)):
        again_at = store.clock.now + timedelta(seconds=30)
        store.ledger.record_fetches([Fetching(claim, (url_picture("a"),), again_at, tried=tried)])
        assert store.claimed_ids(work=Work.FETCH) == []
        store.clock.advance(31)
        [claim] = store.claim(work=Work.FETCH)
        assert claim.fetches == fetches


def test_new_facts_accepted_meanwhile_leave_the_product_to_be_fetched(store: Store) -> None:
    claim = begin(store, url_picture("a"))
    store.upload(facts_change("p-1"), kind=JobKind.UPDATE)
    store.ledger.record_fetches([Fetching(claim, (fetched("a"),))])
    assert (read(store).version, read(store).pictures) == (2, (url_picture("a"),))
    [again] = store.claim(work=Work.FETCH)
    assert (again.version, again.attempts) == (2, 1)


def test_pictures_accepted_meanwhile_are_not_overwritten(store: Store) -> None:
    claim = begin(store, url_picture("a"))
    store.upload(change("p-1", pictures=(picture("new"),)))
    assert store.claim() == []  # one worker at a time, whatever it waits for
    store.ledger.record_fetches([Fetching(claim, (fetched("a"),), store.clock.now + timedelta(days=1))])
    assert read(store).pictures == (picture("new"),)
    assert store.claimed_ids() == ["p-1"]


def test_a_product_deleted_meanwhile_stays_deleted(store: Store) -> None:
    claim = begin(store, url_picture("a"))
    store.upload(deletion("p-1"), kind=JobKind.DELETE)
    store.ledger.record_fetches([Fetching(claim, (fetched("a"),))])
    assert (read(store).deleted, read(store).pictures) == (True, ())
    assert store.claimed_ids(work=Work.FACTS) == ["p-1"]


def test_a_claim_whose_lease_was_lost_records_nothing(store: Store) -> None:
    lost = begin(store, url_picture("a"))
    store.clock.advance(LEASE + 1)
    [held] = store.claim(work=Work.FETCH)
    store.ledger.record_fetches([Fetching(lost, (fetched("a", "late"),))])
    assert read(store).pictures == (url_picture("a"),)
    assert store.claim() == []
    store.ledger.record_fetches([Fetching(held, (fetched("a"),))])
    store.ledger.record_fetches([Fetching(held, (fetched("a", "late"),))])
    assert read(store).pictures == (fetched("a"),)


def test_recording_no_fetches_is_allowed(store: Store) -> None:
    store.ledger.record_fetches([])


def test_a_worker_that_fetched_has_not_died_of_the_product(store: Store) -> None:
    begin(store, url_picture("a"))
    store.clock.advance(LEASE + 1)
    [second] = store.claim(work=Work.FETCH)
    assert second.attempts == 2
    store.ledger.record_fetches([Fetching(second, (fetched("a"),))])
    [claim] = store.claim()
    assert claim.attempts == 1


def test_addresses_that_end_their_worker_are_set_aside(store: Store) -> None:
    begin(store, picture("here"), url_picture("a"))
    store.clock.advance(LEASE + 1)
    store.claim(work=Work.FETCH)
    store.clock.advance(LEASE + 1)
    assert store.claim(work=Work.FETCH) == []
    record = read(store)
    assert (record.state, record.code) == (ProductState.FAILED, Poison.code)
    assert [(it.state, it.code) for it in record.pictures] == [(PictureState.FAILED, Poison.code)] * 2


def test_a_fetched_product_is_settled_like_any_other(store: Store) -> None:
    claim = begin(store, url_picture("a"), url_picture("b"))
    store.ledger.record_fetches([Fetching(claim, (fetched("a"), unfetchable("b")))])
    [onward] = store.claim()
    shown = replace(fetched("a"), state=PictureState.SEARCHABLE)
    store.ledger.settle([Outcome(onward, (shown, unfetchable("b")))])
    assert (read(store).pictures, read(store).state) == ((shown, unfetchable("b")), ProductState.SEARCHABLE)
    assert store.catalog.count("shop")["searchable"] == 1


def test_a_picture_an_address_gives_again_is_not_dropped(store: Store) -> None:
    """Until it is fetched, nobody knows that the address gives what the product had before."""
    claim = begin(store, url_picture("a"), url_picture("b"))
    store.ledger.record_fetches([Fetching(claim, (fetched("a"), fetched("b")))])
    store.settle_all()
    claim = begin(store, url_picture("a"), url_picture("b"))
    assert set(read(store).dropped) == {content_hash("a"), content_hash("b")}
    store.ledger.record_fetches([Fetching(claim, (fetched("a"), fetched("b", "anew")))])
    assert set(read(store).dropped) == {content_hash("b")}


def test_the_items_wait_until_the_product_is_settled(store: Store) -> None:
    [accepted] = store.upload(change("p-1", pictures=(url_picture("a"),)))
    [claim] = store.claim(work=Work.FETCH)
    store.ledger.record_fetches([Fetching(claim, (fetched("a"),))])
    assert store.states(accepted.job_id) == [(1, ItemState.PENDING)]
    store.settle_all()
    assert store.states(accepted.job_id) == [(1, ItemState.SEARCHABLE)]
    assert store.finished(accepted)
