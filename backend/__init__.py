"""Shelfsight: self-hosted product image search. Read `usecases/` first: it is what the system does."""
