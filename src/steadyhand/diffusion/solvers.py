"""Solvers: how far one network call moves a chunk towards the clean end. A solver is a table.

One step is `x' = a·x + b·x0 + c·x0_previous + d·eps + e·z`, with x0 and eps as the network sees
them at this step and z fresh noise. A solver is a plain function (process, times) → (S, 5),
computed once in float64; the loop that applies it is `sampler.py`.
"""

from collections.abc import Callable

import numpy as np

from steadyhand.diffusion.process import Array, Process, invert
from steadyhand.errors import ConfigurationError

Coefficients = Array
Solver = Callable[[Process, Array], Coefficients]


def _levels(process: Process, times: Array) -> tuple[Array, Array, Array, Array]:
    """(alpha, sigma) at each time and (alpha', sigma') at the next; after the last is the end."""
    alpha, sigma = process.path(np.append(times, process.end))
    return alpha[:-1], sigma[:-1], alpha[1:], sigma[1:]


def _table(rows: int, **columns: Array) -> Coefficients:
    table = np.zeros((rows, 5))
    for name, values in columns.items():
        table[:, "abcde".index(name)] = values
    return table


def _posterior_deviation(alpha: Array, sigma: Array, alpha1: Array, sigma1: Array) -> Array:
    """Standard deviation of x' given x and x0: the "fixed small" variance of Ho et al. (2020)."""
    ratio = alpha / alpha1
    return sigma1 / sigma * np.sqrt(np.maximum(sigma**2 - ratio**2 * sigma1**2, 0))


def ddim(process: Process, times: Array, *, eta: float = 0.0) -> Coefficients:
    """DDIM (Song et al. 2020): deterministic at eta 0, the variance of DDPM at eta 1."""
    if not 0 <= eta <= 1:
        raise ConfigurationError(f"eta is {eta}; it must be in 0…1 (0 is deterministic).")
    alpha, sigma, alpha1, sigma1 = _levels(process, times)
    if eta == 0:
        return _table(len(times), b=alpha1, d=sigma1)
    noise = eta * _posterior_deviation(alpha, sigma, alpha1, sigma1)
    return _table(len(times), b=alpha1, d=np.sqrt(np.maximum(sigma1**2 - noise**2, 0)), e=noise)


def euler(process: Process, times: Array) -> Coefficients:
    """Euler steps along the straight path of flow matching, where they are the row of DDIM.

    Raises `ConfigurationError` for a curved path, whose DDIM step is not an Euler step.
    """
    alpha, sigma, alpha1, sigma1 = _levels(process, times)
    if not np.allclose([alpha + sigma, alpha1 + sigma1], 1):
        raise ConfigurationError(
            "Euler steps follow the straight path of Flow(), and that of "
            f"{type(process).__name__} is curved. "
            "Use solver 'ddim' or 'dpmpp_2m'."
        )
    return _table(len(times), b=alpha1, d=sigma1)


def noiseless(process: Process, times: Array) -> Coefficients:
    """To the network's answer and nothing put back: for processes that begin at zeros.

    Raises `ConfigurationError` for one that begins in noise.
    """
    _alpha, sigma, alpha1, _sigma1 = _levels(process, times)
    if sigma[0]:
        raise ConfigurationError(
            f"Solver 'noiseless' is for Regression() and MIP(), which begin at zeros; "
            f"{type(process).__name__} begins in noise. Use 'ddim'."
        )
    return _table(len(times), b=alpha1)


def renoise(process: Process, times: Array) -> Coefficients:
    """To the network's answer and back with fresh noise: how consistency models go on.

    From Song et al. (2023), algorithm 1. On other processes it is DDIM with all of its noise
    replaced in every step.
    """
    _alpha, _sigma, alpha1, sigma1 = _levels(process, times)
    return _table(len(times), b=alpha1, e=sigma1)


def ddpm(process: Process, times: Array) -> Coefficients:
    """Ancestral sampling from q(x' | x, x0) (Ho et al. 2020), with the "fixed small" variance."""
    alpha, sigma, alpha1, sigma1 = _levels(process, times)
    ratio = alpha / alpha1
    step_variance = sigma**2 - ratio**2 * sigma1**2
    return _table(
        len(times),
        a=ratio * sigma1**2 / sigma**2,
        b=alpha1 * step_variance / sigma**2,
        e=_posterior_deviation(alpha, sigma, alpha1, sigma1),
    )


def dpmpp_2m(process: Process, times: Array) -> Coefficients:
    """DPM-Solver++(2M) (Lu et al. 2022): second order from the previous x0, at no extra call."""
    _alpha, sigma, alpha1, sigma1, h, back = _logarithmic_steps(process, times)
    gain = -alpha1 * np.expm1(-h)
    return _table(len(times), a=sigma1 / sigma, b=gain * (1 + back), c=-gain * back)


def sde_dpmpp_2m(process: Process, times: Array) -> Coefficients:
    """The stochastic form of DPM-Solver++(2M) (Lu et al. 2022), with fresh noise at each step."""
    _alpha, sigma, alpha1, sigma1, h, back = _logarithmic_steps(process, times)
    gain = -alpha1 * np.expm1(-2 * h)
    noise = sigma1 * np.sqrt(-np.expm1(-2 * h))
    return _table(
        len(times), a=sigma1 / sigma * np.exp(-h), b=gain * (1 + back), c=-gain * back, e=noise
    )


def _logarithmic_steps(
    process: Process, times: Array
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Levels, the steps h in lambda = log(alpha/sigma), and the weight h/(2·h_previous).

    That weight is 0 where there is nothing to extrapolate from: in the first step, after a step
    from alpha = 0, and in the last step to sigma = 0 (both are infinite in lambda).
    """
    alpha, sigma, alpha1, sigma1 = _levels(process, times)
    with np.errstate(divide="ignore"):
        h = np.log(alpha1 / sigma1) - np.log(alpha / sigma)
    back = np.zeros_like(h)
    inner = np.isfinite(h[1:])
    back[1:][inner] = h[1:][inner] / (2 * h[:-1][inner])
    return alpha, sigma, alpha1, sigma1, h, back


def step_numbers(process: Process, solver: Solver, times: Array) -> tuple[Coefficients, Array]:
    """(the solver's table, `invert` at its times). Raises `ConfigurationError` where it has none.

    Also for a table of another shape, and for steps that are not finite.
    """
    inversion = invert(process, times)
    with np.errstate(divide="ignore", invalid="ignore"):
        table = np.asarray(solver(process, times))
    if table.shape != (len(times), 5):
        raise ConfigurationError(
            f"The solver's table has shape {table.shape}; {len(times)} steps need "
            f"({len(times)}, 5): x' = a·x + b·x0 + c·x0_previous + d·eps + e·z."
        )
    unknown_eps = (table[:, 3] != 0) & ~np.isfinite(inversion[:, 2])
    if unknown_eps.any() or not np.isfinite(table).all():
        raise ConfigurationError(
            f"This solver has no finite step on {process}: 'noiseless' is for "
            "processes that begin at zeros, 'ddim' for the others and Regression()."
        )
    return table, inversion


SOLVERS: dict[str, Solver] = {
    "ddim": ddim,
    "ddpm": ddpm,
    "dpmpp_2m": dpmpp_2m,
    "euler": euler,
    "noiseless": noiseless,
    "renoise": renoise,
    "sde_dpmpp_2m": sde_dpmpp_2m,
}
