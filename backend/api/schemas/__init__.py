"""HTTP bodies <-> domain values, both directions. The models here are also what /openapi.json is made from."""
