"""Parts of the ``emotion_lite`` recipe: samples, augmentation, the training loop, export, calibration, reports."""
