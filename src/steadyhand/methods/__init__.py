"""Ways to answer that are not plain denoising, one file each with its loss."""
