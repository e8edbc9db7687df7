"""The service ``inference.GRPCInferenceService``: the Open Inference Protocol."""
