"""Light-FER: Xception on FER2013, pruned while it trains; then quantised and compiled.

Source: Pascual et al., Light-FER: A Lightweight Facial Emotion Recognition System on Edge Devices, Sensors 22 (2022)
9524, doi:10.3390/s22239524.
Command: python -m training run light_fer --data fer2013.csv --weights imagenet
    then: python -m training compress runs/light_fer --data fer2013.csv
    and:  python -m training cost runs/light_fer/model.keras
Expected time: 50 epochs of some 6 minutes on 2 free CPU threads (from the time of one step); best on a GPU.
Expected accuracy: 69.87 % in the work. Its speeds on a Jetson Nano: Keras FP32 2.5 FPS, TFLite 4.85, ONNX 5.21,
TensorRT FP16 5.51; 27 FPS on a PC. Input size, sparsity, rate and epochs are ours.
"""

from ferserve.models.spec import InputSpec
from training.classification.augment import Augmentation
from training.classification.recipe import ClassificationRecipe, Plateau, Pruning
from training.data.layout import load_study
from training.models.backbones import Head, transfer

RECIPE = ClassificationRecipe(
    name="light_fer",
    summary="Light-FER: Xception on FER2013, magnitude-pruned while training",
    work="Pascual et al. 2022, doi:10.3390/s22239524",
    load=load_study,
    build=transfer("Xception", Head(dropout=0.5), frozen=False),
    input=InputSpec(
        71,
        71,
        color="rgb",
        layout="NHWC",
        scale=1 / 127.5,
        mean=(1.0, 1.0, 1.0),
        std=(1.0, 1.0, 1.0),
        resize="bilinear",
    ),
    epochs=50,
    learning_rate=1e-3,
    augmentation=Augmentation(flip_horizontal=True, rotation=10, shift=0.1, zoom=0.1),
    plateau=Plateau(factor=0.3, patience=4, min_learning_rate=1e-6),
    pruning=Pruning(sparsity=0.5),
    validation=0.1,
    weights="imagenet",
    published={"accuracy": 69.87},
    takes=("balanced", "batch"),
)
