"""``bpr app``: a page on this machine to try the refiner on one photo and one mask."""
