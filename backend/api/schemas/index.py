"""The index's generations as JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field

from backend.domain.generation import Generation


class ComparisonView(BaseModel):
    """How a new index answers beside the one that served when it was compared."""

    queries: int
    overlap: float = Field(description="Mean share of the first ten answers that both name.")
    labelled: int = Field(description="Questions whose category is known.")
    before: float = Field(description="Mean share of the first ten that are of that category, in the old index.")
    after: float = Field(description="The same, in the new one.")

    @classmethod
    def of(cls, numbers: Mapping[str, float]) -> Self | None:
        """None when nothing was compared."""
        return cls.model_validate(numbers) if numbers else None


class GenerationView(BaseModel):
    """One generation of the index: an encoder's, and how far it is."""

    generation: int
    state: Literal["building", "ready", "serving", "kept"] = Field(
        description="`ready`: built, and about to serve. `kept`: served before, for `reindex --rollback`."
    )
    model: str
    dimension: int
    fingerprint: str
    done: int = Field(description="Products read so far.")
    total: int
    filled: bool = Field(description="Whether all products were read; what is written meanwhile is followed.")
    unreadable: int = Field(description="Products with a picture that could not be embedded.")
    detail: str | None = Field(description="Why it does not serve, when it was to.")
    created_at: datetime
    updated_at: datetime | None
    served_at: datetime | None = Field(description="Since when it serves, or last did.")
    comparison: ComparisonView | None

    @classmethod
    def of(cls, generation: Generation) -> Self:
        """From the domain's."""
        return cls(
            generation=generation.number,
            state=generation.state.value,
            model=generation.model,
            dimension=generation.dimension,
            fingerprint=generation.fingerprint,
            done=generation.done,
            total=generation.total,
            filled=generation.filled,
            unreadable=len(generation.gaps),
            detail=generation.detail,
            created_at=generation.created_at,
            updated_at=generation.updated_at,
            served_at=generation.served_at,
            comparison=ComparisonView.of(generation.comparison),
        )


class IndexGenerationsView(BaseModel):
    """All generations, the oldest first."""

    generations: list[GenerationView]
