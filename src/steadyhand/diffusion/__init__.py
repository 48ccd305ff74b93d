"""The mathematics: paths to noise, solvers, the sampler, the loss. It knows no robots."""
