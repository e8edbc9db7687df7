"""FER2013 study, its smallest network: two dense layers.

Source: a student's study in Spanish of networks for FER2013 (dense, convolutional, VGG16).
Command: python -m training run fer2013_dense --data fer2013.csv
Expected time: under a minute on 2 CPU threads.
Expected accuracy: 36.85 % in the work, 36.8 +- 3 here. As in the work, pixels are divided by 255, and a fifth of the
training images picks the best epoch; PublicTest and PrivateTest are reported beside it. The work leaves the rate open.
"""

from ferserve.models.spec import InputSpec
from training.classification.recipe import ClassificationRecipe
from training.data.layout import load_study
from training.models.small import dense

RECIPE = ClassificationRecipe(
    name="fer2013_dense",
    summary="FER2013 study: dense 64-128-7, 156,743 parameters",
    work="FER2013 study (student work, in Spanish)",
    load=load_study,
    build=dense,
    input=InputSpec(48, 48, layout="NHWC"),
    epochs=15,
    validation=0.2,
    monitor="val_accuracy",
    published={"accuracy": 36.85},
    takes=("balanced", "batch", "init"),
)
