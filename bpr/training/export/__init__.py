"""A trained network as one ONNX file, that file in int8, and the way back to weights."""
