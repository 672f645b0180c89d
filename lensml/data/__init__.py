"""The Zarr contract between simulation and training."""
