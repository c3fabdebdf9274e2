"""What a check of the index found, as JSON."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from backend.domain.index_check import IndexCheck


class FilterRecallView(BaseModel):
    """Of one class of filters."""

    filter: str = Field(description="`none`, `in stock`, `category`, `category and price` or `brand`.")
    searches: int
    recall: float = Field(description="Mean share of the ten best products that were found.")
    least: float = Field(description="The same of the worst search.")


class CheckView(BaseModel):
    """Approximate searches beside exact ones, on one merchant's products."""

    at: datetime
    seconds: float
    points: int = Field(description="Pictures of the merchant in the index.")
    recall: float | None = Field(
        description="Recall@10 under the class of filters where it is least; null: nothing is there to search."
    )
    filters: list[FilterRecallView]

    @classmethod
    def of(cls, check: IndexCheck) -> Self:
        """From the domain's."""
        return cls(
            at=check.at,
            seconds=round(check.seconds, 3),
            points=check.points,
            recall=None if check.recall is None else round(check.recall, 4),
            filters=[
                FilterRecallView(
                    filter=item.name, searches=item.searches, recall=round(item.recall, 4), least=round(item.least, 4)
                )
                for item in check.filters
            ],
        )
