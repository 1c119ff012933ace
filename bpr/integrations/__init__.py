"""The refiner inside other frameworks: MMEngine's inferencer, and MMDetection's detectors and test loop."""
