"""FER2013 study, its best network: three wide convolutions with batch norm and dropout.

Source: a student's study in Spanish of networks for FER2013 (dense, convolutional, VGG16).
Command: python -m training run fer2013_cnn_best --data fer2013.csv
Expected time: 50 epochs of some 4 minutes on 2 free CPU threads (from the time of one step); best on a GPU.
Expected accuracy: 63.32 % in the work; 58.8 % with --balanced.
"""

from ferserve.models.spec import InputSpec
from training.classification.augment import Augmentation
from training.classification.recipe import ClassificationRecipe, Plateau
from training.data.layout import load_study
from training.models.small import cnn_best

RECIPE = ClassificationRecipe(
    name="fer2013_cnn_best",
    summary="FER2013 study: 128-256-512 convolutions, augmentation, 8,434,439 parameters",
    work="FER2013 study (student work, in Spanish)",
    load=load_study,
    build=cnn_best,
    input=InputSpec(48, 48, layout="NHWC"),
    epochs=50,
    learning_rate=0.005,
    augmentation=Augmentation(flip_horizontal=True, rotation=5, shift=0.25),
    plateau=Plateau(factor=0.1, patience=2, min_learning_rate=1e-5),
    validation=0.2,
    published={"accuracy": 63.32, "accuracy, six balanced classes": 58.8},
    takes=("balanced",),
)
