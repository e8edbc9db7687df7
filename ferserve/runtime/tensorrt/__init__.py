"""NVIDIA's TensorRT without ONNX Runtime: engines that are built once, kept, and run with the CPU out of the way."""
