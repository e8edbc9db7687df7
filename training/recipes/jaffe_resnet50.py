"""Cost study, ResNet50: transfer learning on JAFFE, then what it costs to run.

Source: a student's study in Spanish of the cost of expression networks on a PC and on a Jetson TX2.
Command: python -m training run jaffe_resnet50 --data jaffe/ --weights imagenet
Expected time: not measured with the real set; 20 passes of a frozen ResNet50 over 213 pictures, a CPU will do.
Expected accuracy: 43.75 % in the work (its 32 test pictures, split by image; ImageNet weights). By person
(--split-by person) it is lower and more honest. The work's speed: 21.35 FPS on a PC with an RTX 3060, 1.26 on a
Jetson TX2 whose GPU stood at 0 %. The work leaves the head, the rate and the epochs open: those here are ours.
"""

from dataclasses import replace

from training.models.backbones import transfer
from training.recipes import jaffe_vgg16

RECIPE = replace(
    jaffe_vgg16.RECIPE,
    name="jaffe_resnet50",
    summary="cost study: ResNet50 on JAFFE, ImageNet base frozen, speed and load measured",
    build=transfer("ResNet50", jaffe_vgg16.HEAD),
    published={"accuracy": 43.75},
)
