"""LeRobotDataset v2.0, v2.1 and v3.0: read as they are published, written as v3.0."""
