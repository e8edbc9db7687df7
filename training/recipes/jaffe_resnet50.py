"""Cost study, ResNet50: transfer learning on JAFFE, then what it costs to run.

Source: a student's study in Spanish of the cost of expression networks on a PC and on a Jetson TX2.
Command: python -m training run jaffe_resnet50 --data jaffe/ --weights imagenet
Expected time: 10 minutes on 2 CPU threads; what takes long are 20 passes of a frozen ResNet50 over 213 pictures.
Expected accuracy: 43.75 % in the work (its 32 test pictures, split by image; ImageNet weights). By person
(--split-by person) it is lower and more honest. The work's speed: 21.35 FPS on a PC with an RTX 3060, 1.26 on a
Jetson TX2 whose GPU stood at 0 %. The work leaves the head, the rate and the epochs open: those here are ours.
"""

from ferserve.model_spec import InputSpec
from training.classification import ClassificationRecipe
from training.data.jaffe import load_jaffe
from training.models.backbones import Head, transfer

RECIPE = ClassificationRecipe(
    name="jaffe_resnet50",
    summary="cost study: ResNet50 on JAFFE, ImageNet base frozen, speed and load measured",
    work="Cost study (student work, in Spanish)",
    load=lambda options: load_jaffe(options.data),
    build=transfer("ResNet50", Head(units=(256,), dropout=0.5)),
    input=InputSpec(
        224, 224, color="bgr", scale=1.0, mean=(103.939, 116.779, 123.68), std=(1.0, 1.0, 1.0), layout="NHWC"
    ),
    epochs=20,
    batch_size=16,
    test=0.15,
    validation=0.15,
    split_by="image",
    weights="imagenet",
    published={"accuracy": 43.75},
    takes=("split_by",),
    measures_cost=True,
)
