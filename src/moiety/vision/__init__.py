"""Image bytes to faces: decode, detect, landmarks, align, quality, liveness, embed; inference behind a port.

Start at `moiety.vision.eyesight.Eyesight`; the models it needs are installed by `moiety.vision.weights`.
Importing this package loads no model and no inference engine.
"""
