# %% [markdown]
# # From a video to a table, a plot and figures
#
# Run the cells one by one in an editor or in Jupyter (jupytext opens this file as a notebook), or all of them:
# `python examples/analyse.py [VIDEO]`. It needs `pip install 'ferserve[analysis]'`, and without a video of yours
# scikit-image, whose astronaut (public domain) then moves before the camera.

# %%
import json
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

import ferserve
from ferserve.analysis import agreement, open_table, plot_timeline, read_table, summarize

folder = Path(tempfile.mkdtemp(prefix="ferserve-"))


# %% [markdown]
# ## A video
# Any file will do. This one is 4 s of a face that moves.


# %%
def film_of_a_face(path: Path, frames: int = 100, fps: float = 25.0) -> Path:
    """The astronaut, moved and lit differently in every frame, as a video at ``path``."""
    from skimage import data

    astronaut = np.ascontiguousarray(data.astronaut()[:, :, ::-1])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (640, 480))
    for t in np.arange(frames) / fps:
        move = np.array([[0.8, 0, 140 + 60 * np.sin(2 * t)], [0, 0.8, 130 + 20 * np.cos(3 * t)]], np.float32)
        moved = cv2.warpAffine(astronaut, move, (640, 480), borderMode=cv2.BORDER_REPLICATE)
        writer.write(cv2.convertScaleAbs(moved, alpha=float(1 - 0.4 * np.sin(t) ** 2)))
    writer.release()
    return path


video = sys.argv[1] if len(sys.argv) > 1 else str(film_of_a_face(folder / "astronaut.avi"))

# %% [markdown]
# ## The table
# One row per face and frame, written while the video runs. `ferserve.Client` in place of `LocalClient` asks a server.

# %%
with ferserve.LocalClient() as client:
    with open_table(folder / "faces.parquet", client.model().heads) as table:
        for result in client.stream(video):
            table.write(result, Path(video).name)
    unsmoothed = list(client.stream(video, ferserve.StreamOptions(smoothing_ms=0)))

faces = read_table(folder / "faces.parquet")
print(faces[["time_s", "track", "label", "confidence", "sure", "p_happiness", "raw_happiness"]].head())

# %% [markdown]
# ## The plot
# A row per label, dark while it is the steady label; below them the label as a band.

# %%
figure = plot_timeline(faces, folder / "timeline.png", folder / "timeline.svg")

# %% [markdown]
# ## The summary
# How long each person was seen, and what they showed for which share of that time.

# %%
summary = summarize(faces)
(folder / "summary.json").write_text(json.dumps(summary, indent=2), "utf-8")
print(pd.DataFrame(summary["persons"]).set_index("track")[["seconds", "sure", "mean_confidence"]])
print(pd.DataFrame({person["track"]: person["shares"] for person in summary["persons"]}))

# %% [markdown]
# ## Two runs compared
# How much does smoothing over time change the labels?

# %%
compared = agreement(faces, unsmoothed)
print(compared)
print(pd.DataFrame(compared.confusion, compared.labels, compared.labels))
print(f"All of it lies in {folder}")
