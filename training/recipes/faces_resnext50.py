"""Face attributes, ResNeXt50: expression, age group and gender on FACES.

Source: a journal study in Spanish of face attributes with ResNet18 and ResNeXt50 on FACES.
Command: python -m training run faces_resnext50 --data faces/ [--weights resnext50_32x4d-7cdf4587.pth]
Expected time: not measured with the real set; best on a GPU.
Expected accuracy: expression 68.2, age group 100, gender 77.3 % in the work, split by image (--split-by image). The
default here splits by person, without which a network may know the person and so the age. One head alone:
--task emotion, age_group or gender. As in the work, 20 epochs from torchvision's ImageNet weights. The work leaves the
rate open: that here is ours.
"""

from dataclasses import replace

from training.models.resnet import resnext50
from training.recipes import faces_resnet18

RECIPE = replace(
    faces_resnet18.RECIPE,
    name="faces_resnext50",
    summary="face attributes: ResNeXt50 on FACES, one task or three heads",
    build=resnext50,
)
