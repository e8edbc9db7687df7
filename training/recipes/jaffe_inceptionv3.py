"""Cost study, InceptionV3: transfer learning on JAFFE, then what it costs to run.

Source: a student's study in Spanish of the cost of expression networks on a PC and on a Jetson TX2.
Command: python -m training run jaffe_inceptionv3 --data jaffe/ --weights imagenet
Expected time: not measured with the real set; 20 passes of a frozen InceptionV3 over 213 pictures, a CPU will do.
Expected accuracy: 71.88 % in the work (its 32 test pictures, split by image; ImageNet weights). By person
(--split-by person) it is lower and more honest. The work's speed: 15.84 FPS on a PC with an RTX 3060, 0.91 on a
Jetson TX2 whose GPU stood at 0 %. The work leaves the head, the rate and the epochs open: those here are ours.
"""

from dataclasses import replace

from ferserve.models.spec import InputSpec
from training.models.backbones import transfer
from training.recipes import jaffe_vgg16

RECIPE = replace(
    jaffe_vgg16.RECIPE,
    name="jaffe_inceptionv3",
    summary="cost study: InceptionV3 on JAFFE, ImageNet base frozen, speed and load measured",
    build=transfer("InceptionV3", jaffe_vgg16.HEAD),
    input=InputSpec(299, 299, color="rgb", scale=1 / 127.5, mean=(1.0, 1.0, 1.0), std=(1.0, 1.0, 1.0), layout="NHWC"),
    published={"accuracy": 71.88},
)
