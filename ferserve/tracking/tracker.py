"""Stable ids for the faces of one stream.

Detection passes update the tracks; on the frames in between, :mod:`ferserve.tracking.template` follows each face. A
track that two passes missed is no longer reported, but kept for a while: a face that turned away, or that another one
covered, gets its id back (:mod:`ferserve.tracking.assignment`). After a cut, only appearance brings an id back. A
doubtful detection must be found twice in a row before it becomes a track; after that the same score is enough, as in
ByteTrack (Zhang et al. 2022, arXiv:2110.06864, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferserve.labels import MIN_FACE_SCORE
from ferserve.tracking.appearance import likeness
from ferserve.tracking.assignment import Likeness, by_appearance, by_overlap
from ferserve.tracking.boxes import Box, between, completed, grown, is_cut, log_side, overlap, overlaps_frame, shifted
from ferserve.tracking.cut import Scene
from ferserve.tracking.template import Pixels, Sampler, cut_templates, match_templates
from ferserve.tracking.track import MAX_MISSES, DetectedSize, Sighting, Track
from ferserve.types import Detections
from ferserve.types.handover import PLACE_COLUMNS, Handover

NEW_TRACK_SCORE = MIN_FACE_SCORE
"""A new face with a lower score needs a second detection."""
MIN_CORRELATION = 0.6
"""Least correlation at which a template match counts as the face."""
SAME_FACE_CORRELATION = 0.75
"""A template that matches this well shows that there was no cut."""
FOLLOWED_WEIGHT = 0.3
"""Weight of the followed box against the detected one: otherwise the detector's jitter reaches the classifier."""
COVERED_IOU = 0.3
"""From this overlap on, the face that matches its template less well is covered by the other."""
CLEAR_MARGIN = 1.4
"""Faces whose boxes, grown by this factor, do not touch show nothing of each other."""
MAX_LOST_NS = 1_000_000_000
"""How long a lost track can still be recovered under its id."""
MAX_LOST_TRACKS = 64
"""Most undetected tracks that are kept, the latest ones: matching takes time for each."""


@dataclass(frozen=True)
class Tracked:
    """The faces of one frame: ``track_ids`` int64 (N,) for the rows of ``detections``.

    ``unsure`` asks for a detection pass: a face was missed, its template was lost, or a detection is doubtful. ``cut``
    says that the frame shows another scene than the last pass, so that no face is known.
    """

    detections: Detections
    track_ids: NDArray[np.int64]
    unsure: bool
    cut: bool = False


class Tracker:
    """Tracks the faces of one stream. Times are nanoseconds of one clock that never falls."""

    def __init__(self, sample: Sampler) -> None:
        self._sample = sample
        self._last_id = 0
        self._tracks: list[Track] = []
        self._size = (0, 0)
        self._scene: Scene | None = None  # of the last pass that found a face
        self._cut = False  # since the last pass

    @property
    def known_ids(self) -> set[int]:
        """Ids of all tracks that are reported or may be recovered."""
        return {track.track_id for track in self._tracks}

    def save(self, handover: Handover) -> None:
        """Write down the faces that are reported, without their looks."""
        shown = [track for track in self._tracks if track.reported and track.place_known]
        handover.track_ids = [track.track_id for track in shown]
        handover.places = [number for track in shown for number in track.numbers(handover.now_ns)]
        handover.last_track_id, handover.size = self._last_id, self._size

    def load(self, handover: Handover) -> None:
        """Expect the faces of a handover; the next pass finds them by their places."""
        self._last_id, self._size = handover.last_track_id, handover.size
        self._tracks = [
            Track.of_numbers(track_id, handover.places[i * PLACE_COLUMNS : (i + 1) * PLACE_COLUMNS], handover.now_ns)
            for i, track_id in enumerate(handover.track_ids)
        ]

    def skip_ids(self, last_id: int) -> None:
        """Give no new face an id up to ``last_id``: another server gave them out in the same stream."""
        self._last_id = max(self._last_id, last_id)

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def set_frame_size(self, width: int, height: int) -> None:
        """Announce the size of the next frames, px. A new size is taken as the same view, scaled."""
        if (width, height) == self._size:
            return
        x, y = (new / max(old, 1) for new, old in zip((width, height), self._size, strict=True))
        for track in self._tracks:
            track.scale(x, y)
        self._size = (width, height)

    def update(self, detections: Detections, now_ns: int, luma: Pixels | None = None) -> Tracked:
        """Match the detector's or the client's ``detections`` on a frame to the tracks.

        With ``luma`` uint8 (H, W), missed faces are followed, templates are cut for following, doubtful faces wait for
        a second detection, and lost faces are recovered. The result has the other rows of ``detections`` in their
        order, then the missed faces that are still followed.
        """
        if luma is not None:
            self._match_templates(luma, now_ns)
            if self._is_cut(luma, now_ns):
                self._forget_places()
        self._cut = False
        matches = self._assign(detections, now_ns, luma)
        found = [self._updated(matches.get(row), detections, row, now_ns, luma) for row in range(len(detections))]
        if luma is not None and found:
            self._remember_looks(found, luma, now_ns)
        for track in found:
            if track.clear is None or _is_clear(track, found, luma, now_ns):
                track.clear = Sighting(track.xyxy, track.velocity, now_ns)
        matched = {id(track) for track in matches.values()}
        missed = [track for track in self._tracks if id(track) not in matched]
        for track in missed:
            track.misses += 1 if luma is not None and track.sure else MAX_MISSES
        kept = [t for t in missed if t.track_id and now_ns - t.seen_ns <= MAX_LOST_NS]
        kept.sort(key=lambda track: -track.seen_ns)
        self._tracks = found + kept[:MAX_LOST_TRACKS]
        return self._reported(
            luma, now_ns, unsure=any(t.reported for t in missed) or not all(t.track_id for t in found)
        )

    def _assign(self, detections: Detections, now_ns: int, luma: Pixels | None) -> dict[int, Track]:
        """The known track of each detection, by row."""
        placed = [track for track in self._tracks if track.place_known]
        if luma is None:
            return by_overlap(detections.xyxy, placed, now_ns, None)
        compare = self._likeness(detections.xyxy, luma)
        matches = by_overlap(detections.xyxy, [t for t in placed if t.reported or not t.track_id], now_ns, compare)
        taken = {id(track) for track in matches.values()}
        lost = [t for t in self._tracks if t.track_id and t.portrait is not None and id(t) not in taken]
        if lost:  # before a new id is given
            unnamed = [row for row in range(len(detections)) if row not in matches or not matches[row].track_id]
            boxes = {row: _whole(detections.xyxy, row, luma) for row in unnamed}
            matches |= by_appearance(boxes, lost, now_ns, compare, luma)
        return matches

    def _likeness(self, xyxy: NDArray[np.float32], luma: Pixels) -> Likeness:
        def compare(rows: list[int], tracks: Sequence[Track]) -> NDArray[np.float64]:
            scores = np.zeros((len(rows), len(tracks)))
            known = [column for column, track in enumerate(tracks) if track.portrait is not None]
            portraits = [track.portrait for track in tracks if track.portrait is not None]
            boxes = np.array([_whole(xyxy, row, luma) for row in rows], np.float32)
            scores[:, known] = likeness(luma, boxes, portraits, self._sample)
            return scores

        return compare

    def _updated(
        self, track: Track | None, detections: Detections, row: int, now_ns: int, luma: Pixels | None
    ) -> Track:
        """The track of one detection: ``track``, moved there, or a new one."""
        x0, y0, x1, y1 = detections.xyxy[row].tolist()
        box: Box = (x0, y0, x1, y1)
        score = float(detections.score[row])
        landmarks = None if detections.landmarks is None else detections.landmarks[row]
        if track is None:
            certain = luma is None or score >= NEW_TRACK_SCORE
            size = DetectedSize(log_side(box), now_ns)
            return Track(self._new_id() if certain else 0, box, score, landmarks, None, now_ns, size)
        track.track_id = track.track_id or self._new_id()
        track.estimate_growth(box, now_ns)
        if luma is not None and track.reported and track.sure:
            box = between(box, track.xyxy, FOLLOWED_WEIGHT)
        track.move_to(box, now_ns)
        track.score, track.landmarks, track.template = score, landmarks, None
        track.misses, track.sure, track.place_known = 0, True, True
        return track

    def _remember_looks(self, found: list[Track], luma: Pixels, now_ns: int) -> None:
        """Cut the templates of the faces of a pass, and note the scene."""
        templates = cut_templates(luma, np.array([t.xyxy for t in found], np.float32), self._sample)
        for track, template in zip(found, templates, strict=True):
            track.template = template
            if track.portrait is None or _is_clear(track, found, luma, now_ns):
                track.portrait = template
        self._scene = Scene(luma, [track.xyxy for track in found])

    def follow(self, luma: Pixels, now_ns: int) -> Tracked:
        """Follow the faces on a frame without a detection pass; ``luma`` is uint8 (H, W)."""
        self._match_templates(luma, now_ns)
        if self._is_cut(luma, now_ns):
            self._forget_places()
            self._cut = True
        if self._cut:  # until the next pass
            return Tracked(Detections.empty(), np.zeros(0, np.int64), unsure=True, cut=True)
        unsure = any(t.reported and not (t.sure and t.misses == 0) for t in self._tracks)
        return self._reported(luma, now_ns, unsure=unsure)

    def _is_cut(self, luma: Pixels, now_ns: int) -> bool:
        """Whether the frame shows another scene than the last pass: neither a face nor the background is alike."""
        placed = [track for track in self._tracks if track.place_known]
        if self._scene is None or not any(track.reported for track in placed):
            return False
        if any(track.reported and track.correlation >= SAME_FACE_CORRELATION for track in placed):
            return False
        return not self._scene.shows(luma, [track.expected(now_ns) for track in placed])

    def _forget_places(self) -> None:
        for track in self._tracks:
            track.place_known, track.sure, track.misses = False, False, MAX_MISSES

    def _match_templates(self, luma: Pixels, now_ns: int) -> None:
        """Move every reported track to its template's best match; without one in the frame it is unsure."""
        followed, expected = [], []
        for track in self._tracks:
            if track.reported and track.template is not None:
                box = track.expected(now_ns)
                track.sure = overlaps_frame(box, luma)
                track.correlation = 0.0
                if track.sure:
                    followed.append(track)
                    expected.append(box)
        if not followed:
            return
        templates = [track.template for track in followed if track.template is not None]
        shifts, correlations = match_templates(luma, np.array(expected, np.float32), templates, self._sample)
        places = [shifted(box, dx, dy) for box, (dx, dy) in zip(expected, shifts, strict=True)]
        for i, (track, place, correlation) in enumerate(zip(followed, places, correlations, strict=True)):
            others = (c for j, c in enumerate(correlations) if j != i and overlap(place, places[j]) >= COVERED_IOU)
            covered = any(other > correlation for other in others)
            track.correlation = correlation
            track.sure = correlation >= MIN_CORRELATION and not covered and overlaps_frame(place, luma)
            if track.sure:
                track.move_to(place, now_ns)

    def _reported(self, luma: Pixels | None, now_ns: int, *, unsure: bool) -> Tracked:
        shown = [t for t in self._tracks if t.reported and (luma is None or overlaps_frame(t.xyxy, luma))]
        if not shown:
            return Tracked(Detections.empty(), np.zeros(0, np.int64), unsure)
        marks = [t.landmarks for t in shown if t.landmarks is not None]
        detections = Detections(
            np.array([t.xyxy for t in shown], np.float32),
            np.array([t.score for t in shown], np.float32),
            np.array(marks, np.float32) if len(marks) == len(shown) else None,
            np.array([now_ns - t.detected.time_ns for t in shown], np.float32) / np.float32(1e6) if marks else None,
        )
        return Tracked(detections, np.array([t.track_id for t in shown], np.int64), unsure)


def _whole(xyxy: NDArray[np.float32], row: int, luma: Pixels) -> Box:
    x0, y0, x1, y1 = xyxy[row].tolist()
    return completed((x0, y0, x1, y1), luma)


def _is_clear(track: Track, others: Sequence[Track], luma: Pixels | None, now_ns: int) -> bool:
    """Whether no other face touches this one, with a margin: a head is larger than the box of its face. Nor may the
    frame's edge cut it, unless it did for as long as a lost face is remembered."""
    lately = track.clear is not None and now_ns - track.clear.time_ns <= MAX_LOST_NS
    if luma is not None and lately and is_cut(track.xyxy, luma):
        return False
    box = grown(track.xyxy, CLEAR_MARGIN)
    return all(overlap(box, grown(other.xyxy, CLEAR_MARGIN)) == 0 for other in others if other is not track)
