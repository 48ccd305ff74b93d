"""From raw observations and noise to actions: normaliser, encoder, sampler; on the disk, too."""
