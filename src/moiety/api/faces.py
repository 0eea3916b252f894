"""From the house's answers about faces to what the API says."""

from moiety.api.schemas import Face, Quality
from moiety.matching.answers import SeenFace


def told(face: SeenFace) -> Face:
    """Show a face: where it is and how good it is."""
    return Face(box=face.box, quality=Quality(**face.quality), liveness=face.liveness)
