"""FER2013 study, three convolutions.

Source: a student's study in Spanish of networks for FER2013 (dense, convolutional, VGG16).
Command: python -m training run fer2013_cnn3 --data fer2013.csv
Expected time: 4 minutes on 2 CPU threads.
Expected accuracy: 53.12 % in the work; 50.5 % with --balanced. As in the work, pixels are divided by 255, and a fifth
of the training images picks the best of the 15 epochs; PublicTest and PrivateTest are reported beside it. The work
leaves the rate open.
"""

from ferserve.models.spec import InputSpec
from training.classification.recipe import ClassificationRecipe
from training.data.layout import load_study
from training.models.small import cnn3

RECIPE = ClassificationRecipe(
    name="fer2013_cnn3",
    summary="FER2013 study: three convolutions, dense 64-128-7, 63,431 parameters",
    work="FER2013 study (student work, in Spanish)",
    load=load_study,
    build=cnn3,
    input=InputSpec(48, 48, layout="NHWC"),
    epochs=15,
    validation=0.2,
    monitor="val_accuracy",
    learning_rate=5e-4,
    published={"accuracy": 53.12},
    published_balanced={"accuracy, six balanced classes": 50.5},
    takes=("balanced", "batch", "init"),
)
