"""Finding faces in one image: the detectors and the choice between them."""
