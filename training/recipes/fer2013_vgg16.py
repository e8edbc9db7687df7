"""FER2013 study, VGG16: transfer learning on small grey faces.

Source: a student's study in Spanish of networks for FER2013 (dense, convolutional, VGG16).
Command: python -m training run fer2013_vgg16 --data fer2013.csv --weights imagenet
Expected time: not measured; 10 epochs of a frozen base at 48x48 are within reach of a CPU.
Expected accuracy: 42.24 % in the work. It needs the ImageNet weights: --weights none trains the whole network.
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
    build=transfer("VGG16", Head(flatten=True)),
    input=InputSpec(
        48, 48, color="bgr", layout="NHWC", scale=1.0, mean=(103.939, 116.779, 123.68), std=(1.0, 1.0, 1.0)
    ),
    epochs=10,
    weights="imagenet",
    published={"accuracy": 42.24},
    takes=("balanced",),
)
