"""Models in OpenCLIP's own files, turned once into a folder that transformers reads.

transformers and sentence-transformers know CLIP and SigLIP, but not OpenCLIP's names for their tensors and settings.
The computation is the same, so a translation of names is all it takes, and nothing else has to know of the format.
"""
