"""Rasters too large to be read whole: windows of images and label maps in TIFF and Zarr files (extra ``[raster]``)."""
