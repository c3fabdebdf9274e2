"""Pictures and texts -> vectors; the home of torch and the encoders' libraries.

`choice` decides which encoder an index gets and builds it. `clip` runs CLIP models through sentence-transformers,
`folder` knows which files make up a model and fingerprints them, `hub` asks the model hub and its local cache.
`packaged` is the encoder that needs no hub. This package imports nothing by itself, so that a process which never
embeds does not pay for torch.
"""
