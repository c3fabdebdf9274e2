"""A copy of the index is laid where the command that asks for it finds it, and nowhere else."""

from pathlib import Path

from backend.api.app import create_app
from backend.settings import Settings
from backend.usecases.keep_pictures import Upload
from backend.vectors.snapshots import described
from tests.factories import product
from tests.house import House
from tests.pictures import jpeg


def test_a_copy_lies_in_the_data_directory_and_the_next_takes_its_place(tmp_path: Path) -> None:
    house = House(Settings(data_dir=tmp_path))
    client = create_app(house.services, house.settings, key=None).test_client()
    house.services.upload_product(product("a"), [Upload("a.jpg", jpeg)])
    house.work()
    first, second = (client.post("/v1/index/snapshots") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    laid = second.get_json()
    assert laid["number"] == 1
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == [laid["name"]]
    copied = described(tmp_path / "snapshots" / laid["name"])
    assert (copied.model, copied.points) == ("fake", 1)


def test_an_index_that_is_down_is_said(tmp_path: Path) -> None:
    house = House(Settings(data_dir=tmp_path))
    house.vectors.down = True
    answer = create_app(house.services, house.settings, key=None).test_client().post("/v1/index/snapshots")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "index_unavailable")
