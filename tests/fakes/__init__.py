"""Small real classes that stand in for the outside; tests/contracts holds them to the same claims as the adapters."""
