"""Zarr v2 and v3, a folder or a `.zarr.zip`: replay buffers, and groups of others."""
