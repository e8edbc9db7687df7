"""Three emotions: VGG16 on angry, happy and sad.

Source: a student's study in Spanish of a three-emotion classifier in colour.
Command: python -m training run three_vgg16 --data folders/ --weights imagenet [--epochs 20]
Expected time: not measured with the real set; best on a GPU.
Expected accuracy: 64 % in the work's test, F1 .33 (angry), .80 (happy), .71 (sad). The work divides 90/10 into training
and test, then 80/20 into training and validation, and trains 20 and 30 epochs: the default is 30.
"""

from ferserve.models.spec import InputSpec
from training.classification.augment import Augmentation
from training.classification.recipe import ClassificationRecipe
from training.data.folders import load_folders
from training.models.backbones import Head, transfer

RECIPE = ClassificationRecipe(
    name="three_vgg16",
    summary="three emotions: VGG16 on folders angry, happy, sad, 224x224 colour",
    work="Three emotions study (student work, in Spanish)",
    load=lambda options: load_folders(options.data, ("angry", "happy", "sad")),
    build=transfer("VGG16", Head(flatten=True, units=(128,), dropout=0.4)),
    input=InputSpec(224, 224, color="rgb", layout="NHWC", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
    epochs=30,
    batch_size=32,
    augmentation=Augmentation(flip_horizontal=True, flip_vertical=True, shift=0.15),
    test=0.1,
    validation=0.2,
    weights="imagenet",
    published={"accuracy": 64.0, "F1 angry": 33.0, "F1 happy": 80.0, "F1 sad": 71.0},
    takes=("batch",),
)
