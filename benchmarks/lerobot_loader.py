"""Run by frames.py in a Python that has LeRobot: windows a second of its own data loader."""

import os
import statistics
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from torchvision.transforms import v2

ROUNDS, BATCHES, BATCH = 3, 3, 64


def main() -> None:
    root, camera, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    data = LeRobotDataset(
        "local/bench",
        root=root,
        delta_timestamps={camera: [-1 / 30, 0.0]},
        image_transforms=v2.Resize((224, 224)),
    )
    found = []
    generator = torch.Generator().manual_seed(0)
    loader = torch.utils.data.DataLoader(
        data,
        batch_size=BATCH,
        shuffle=True,
        generator=generator,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    for number in range(ROUNDS + 1):
        batches = iter(loader)
        next(batches)  # the first waits for the workers to begin
        begun, done = time.perf_counter(), 0
        for batch in batches:
            done += len(batch[camera])
            if done >= BATCHES * BATCH:
                break
        if number:
            found.append(done / (time.perf_counter() - begun))
    print(statistics.median(found))


if __name__ == "__main__":
    main()
