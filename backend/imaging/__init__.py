"""Bytes -> picture. Home of Pillow."""
