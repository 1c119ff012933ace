"""``bpr app``: a page on this machine to try the refiner on a photo and a mask."""
