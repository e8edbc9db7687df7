"""The service ``ferserve.v1.EmotionService``."""
