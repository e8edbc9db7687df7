"""FER2013 study, its best network: three wide convolutions with batch norm and dropout.

Source: a student's study in Spanish of networks for FER2013 (dense, convolutional, VGG16).
Command: python -m training run fer2013_cnn_best --data fer2013.csv
Expected time: 50 epochs of some 4 minutes on 2 free CPU threads (from the time of one step); best on a GPU.
Expected accuracy: 63.32 % in the work; 58.8 % with --balanced, which takes batches of 32.

Where the work's text contradicts itself, its count of 8,434,439 parameters decides: its table says 128, 256 and 512
filters, its labels 64, 125 and 512; the table's are right. A kernel of 3x3 or 5x5 in the third block is said in two
places: 5x5 is right. Each block is convolution with ReLU, batch norm, pooling, dropout, in this order, and the rate
falls if the *accuracy* (Keras's name for that on the training images) stops rising. Initial weights are Keras's own;
--init he_uniform takes He's.
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
    balanced_batch_size=32,
    learning_rate=0.005,
    augmentation=Augmentation(flip_horizontal=True, rotation=5, shift=0.25),
    plateau=Plateau(factor=0.1, patience=2, min_learning_rate=1e-5, monitor="accuracy"),
    validation=0.2,
    monitor="val_accuracy",
    published={"accuracy": 63.32},
    published_balanced={"accuracy, six balanced classes": 58.8},
    takes=("balanced", "batch", "init"),
)
