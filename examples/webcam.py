"""Say what the face before the camera expresses. First start a server: ``ferserve serve``."""

import ferserve

with ferserve.Client("127.0.0.1:50051") as client:
    for result in client.stream(0):
        for face in result.faces:
            print(f"face {face.track_id}: {face.emotion} {face.confidence:.0%}")
