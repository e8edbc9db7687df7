"""Face detection: photographs and teacher labels, augmentation, targets, loss and evaluation."""
