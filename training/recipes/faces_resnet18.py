"""Face attributes, ResNet18: expression, age group and gender on FACES.

Source: a journal study in Spanish of face attributes with ResNet18 and ResNeXt50 on FACES.
Command: python -m training run faces_resnet18 --data faces/ [--weights resnet18-f37072fd.pth]
    and:  python -m training report runs/faces_resnet18, for its table of epochs 0, 5, 10, 15 and the test
Expected time: not measured with the real set; a CPU will do.
Expected accuracy: expression 68.2, age group 100, gender 77.3 % in the work, split by image (--split-by image). The
default here splits by person, without which a network may know the person and so the age. One head alone:
--task emotion, age_group or gender. As in the work, 20 epochs from torchvision's ImageNet weights. The work leaves the
rate open: that here is ours.
"""

from ferserve.models.spec import InputSpec
from training.classification.recipe import ClassificationRecipe
from training.data.faces import load_task
from training.models.resnet import resnet18

RECIPE = ClassificationRecipe(
    name="faces_resnet18",
    summary="face attributes: ResNet18 on FACES, one task or three heads",
    work="Face attributes study (journal article, in Spanish)",
    load=load_task,
    build=resnet18,
    input=InputSpec(224, 224, color="rgb", layout="NHWC", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    epochs=20,
    batch_size=32,
    learning_rate=1e-4,
    test=0.3,
    weights="imagenet",
    published={"emotion accuracy": 68.2, "age_group accuracy": 100, "gender accuracy": 77.3},
    takes=("split_by", "task", "batch"),
)
