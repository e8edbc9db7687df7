"""``ferserve.v1.EmotionService`` on the engine."""
