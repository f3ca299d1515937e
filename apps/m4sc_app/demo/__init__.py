"""The main job: real messages through both systems and the radio."""
