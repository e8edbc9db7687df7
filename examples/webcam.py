"""Say what the face before the camera expresses. First start a server: ``ferserve serve``."""

import ferserve

with ferserve.Client("127.0.0.1:50051") as client:
    for result in client.stream(0):
        for face in result.faces:
            emotion = face.emotion if face.sure else "not sure"
            print(f"face {face.track_id}: {emotion} {face.confidence:.0%}")
