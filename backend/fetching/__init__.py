"""Addresses merchants name -> bytes: home of httpcore. What is fetched and what is not: docs/fetching.md."""
