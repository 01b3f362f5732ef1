"""CALVIN on pybullet: scenes, robot, cameras, task checks and the chains of the ABC-D benchmark."""
