"""BM25 over lists of words, by its definition (Robertson and Zaragoza 2009, with the idf of Lucene)."""

import math
from collections import Counter
from collections.abc import Sequence

K, B = 1.2, 0.75


class Bm25:
    """Scores of documents of one corpus."""

    def __init__(self, corpus: Sequence[Sequence[str]]) -> None:
        self._number = len(corpus)
        self._mean = sum(map(len, corpus)) / max(1, len(corpus))
        self._having = Counter(word for words in corpus for word in set(words))

    def score(self, words: Sequence[str], terms: Sequence[str]) -> float:
        counts = Counter(words)
        return sum(self._idf(term) * self._share(counts[term], len(words)) for term in set(terms) if counts[term])

    def _idf(self, term: str) -> float:
        having = self._having[term]
        return math.log(1.0 + (self._number - having + 0.5) / (having + 0.5))

    def _share(self, count: int, length: int) -> float:
        return count * (K + 1.0) / (count + K * (1.0 - B + B * length / self._mean))
