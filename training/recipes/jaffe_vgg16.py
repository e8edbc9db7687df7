"""Cost study, VGG16: transfer learning on JAFFE, then what it costs to run.

Source: a student's study in Spanish of the cost of expression networks on a PC and on a Jetson TX2.
Command: python -m training run jaffe_vgg16 --data jaffe/ --weights imagenet
Expected time: not measured with the real set; 20 passes of a frozen VGG16 over 213 pictures, a CPU will do.
Expected accuracy: 81.25 % in the work (its 32 test pictures, split by image; ImageNet weights). By person
(--split-by person) it is lower and more honest. The work's speed: 45.51 FPS on a PC with an RTX 3060, 0.82 on a
Jetson TX2 whose GPU stood at 0 %. The work leaves the head, the rate and the epochs open: those here are ours.
"""

from ferserve.models.spec import InputSpec
from training.classification.recipe import ClassificationRecipe
from training.cost.serving import measure_test_set
from training.data.jaffe import load_jaffe
from training.models.backbones import Head, transfer

HEAD = Head(units=(256,), dropout=0.5)

RECIPE = ClassificationRecipe(
    name="jaffe_vgg16",
    summary="cost study: VGG16 on JAFFE, ImageNet base frozen, speed and load measured",
    work="Cost study (student work, in Spanish)",
    load=lambda options: load_jaffe(options.data),
    build=transfer("VGG16", HEAD),
    input=InputSpec(
        224, 224, color="bgr", scale=1.0, mean=(103.939, 116.779, 123.68), std=(1.0, 1.0, 1.0), layout="NHWC"
    ),
    epochs=20,
    batch_size=16,
    test=0.15,
    validation=0.15,
    split_by="image",
    weights="imagenet",
    published={"accuracy": 81.25},
    takes=("split_by", "batch"),
    measure=measure_test_set,
)
