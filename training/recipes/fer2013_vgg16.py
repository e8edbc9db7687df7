"""FER2013 study, VGG16: transfer learning on small grey faces.

Source: a student's study in Spanish of networks for FER2013 (dense, convolutional, VGG16).
Command: python -m training run fer2013_vgg16 --data fer2013.csv --weights imagenet
Expected time: not measured; 10 epochs of a frozen base at 48x48 are within reach of a CPU.
Expected accuracy: 42.24 % in the work. It needs the ImageNet weights: --weights none trains the whole network.

The head is the work's: dropout .25 behind the convolutions, then dense 512, 128 and 64, each with ReLU, batch norm and
dropout .5. Pixels are divided by 255 and not centred, as in the work, although VGG16's weights were made for centred
ones.
"""

from ferserve.models.spec import InputSpec
from training.classification.recipe import ClassificationRecipe
from training.data.layout import load_study
from training.models.backbones import Head, transfer

RECIPE = ClassificationRecipe(
    name="fer2013_vgg16",
    summary="FER2013 study: VGG16 on 48x48, ImageNet base frozen",
    work="FER2013 study (student work, in Spanish)",
    load=load_study,
    build=transfer(
        "VGG16", Head(flatten=True, units=(512, 128, 64), dropout=0.5, batch_norm=True, extractor_dropout=0.25)
    ),
    input=InputSpec(48, 48, color="rgb", layout="NHWC", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
    epochs=10,
    validation=0.2,
    monitor="val_accuracy",
    weights="imagenet",
    published={"accuracy": 42.24},
    takes=("balanced", "batch", "init"),
)
