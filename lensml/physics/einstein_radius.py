"""Effective Einstein radius: where the mean convergence of all mass about the lens is 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lensml.physics.halos import tnfw_enclosed
from lensml.physics.profiles import SOFTENING

N_STEPS = 16  # bisections: the bracket shrinks to 2e-5 of theta_E
N_ANGLES = 64  # of the mean over a circle; the integrand is periodic and smooth
N_SHELLS = 16  # of a halo
N_NODES = 32  # of a line; its core, a tenth of its half-length or more, spans several
REACH = 20.0  # of a halo's outermost boundary of shells, in truncation radii


@dataclass(frozen=True)
class Pieces:
    """Perturbers cut into pieces whose mass inside a circle has a closed form.

    Attributes:
        owner: (P,) system of each piece.
        mass: (P,) theta_E^2 of each piece, arcsec^2, negative where mass is missing.
        distance: (P,) of its middle from the centre of the lens, arcsec.
        size: (P,) arcsec: radius of a thin ring, or core of a softened point.
        rings: whether pieces are rings.
    """

    owner: np.ndarray
    mass: np.ndarray
    distance: np.ndarray
    size: np.ndarray
    rings: bool

    def __getitem__(self, chosen: np.ndarray) -> Pieces:
        columns = (self.owner, self.mass, self.distance, self.size)
        return Pieces(*(column[chosen] for column in columns), rings=self.rings)

    def inside(self, radius: np.ndarray) -> np.ndarray:
        """Mass inside circles of the (N,) radii, one per system, arcsec^2."""
        share = ring_share if self.rings else softened_share
        mass = self.mass * share(radius[self.owner], self.distance, self.size)
        return np.bincount(self.owner, mass, minlength=len(radius))

    def split(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, Pieces]:
        """Mass that is inside every circle from low to high, and the pieces still undecided."""
        if not self.rings:  # a softened point has no edge
            return np.zeros(len(low)), self
        always = self.distance + self.size < low[self.owner]
        never = np.abs(self.distance - self.size) > high[self.owner]
        settled = np.bincount(self.owner[always], self.mass[always], minlength=len(low))
        return settled, self[~always & ~never]


def ring_share(radius: np.ndarray, distance: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Share of a thin ring inside a circle.

    Args:
        radius: of the circle about the origin, arcsec.
        distance: of the ring's middle from the origin, arcsec.
        ring: radius of the ring, arcsec.

    Returns:
        In [0, 1]: the angle of the arc inside over pi, by the law of cosines.
    """
    product = np.maximum(2 * distance * ring, 1e-30)
    cosine = (distance**2 + ring**2 - radius**2) / product
    return np.arccos(np.clip(cosine, -1, 1)) / np.pi


def softened_share(radius: np.ndarray, distance: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Share of a softened point mass inside a circle.

    The point has the convergence core^2 / (r^2 + core^2)^2 up to its mass, as every point of a
    cored line has; a core of zero is a point.

    Args:
        radius: of the circle about the origin, arcsec.
        distance: of the point from the origin, arcsec.
        core: arcsec.

    Returns:
        In [0, 1]: the flux of the deflection through the circle over that of the whole mass.
    """
    core2 = np.maximum(core, SOFTENING) ** 2
    r2, d2 = np.square(radius), np.square(distance)
    # (r2 + d2 + core2)^2 - 4 r2 d2 without its cancellation where the circle meets the point
    root = np.sqrt((r2 - d2) ** 2 + core2 * (2 * (r2 + d2) + core2))
    return (1 + (r2 - d2 - core2) / root) / 2


def disc_share(radius: np.ndarray, distance: np.ndarray, disc: np.ndarray) -> np.ndarray:
    """Share of a circle about the origin that a disc covers.

    Args:
        radius: of the circle, arcsec.
        distance: of the disc's centre from the origin, arcsec.
        disc: radius of the disc, arcsec.

    Returns:
        In [0, 1], from the area of the lens in which the two circles meet.
    """
    distance = np.maximum(distance, 1e-12)
    d2, r2, s2 = distance**2, np.square(radius), np.square(disc)
    alpha = np.arccos(np.clip((d2 + r2 - s2) / (2 * distance * radius), -1, 1))
    beta = np.arccos(np.clip((d2 + s2 - r2) / np.maximum(2 * distance * disc, 1e-30), -1, 1))
    area = r2 * (alpha - np.sin(2 * alpha) / 2) + s2 * (beta - np.sin(2 * beta) / 2)
    return area / (np.pi * r2)


def circle_factor(gamma: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Mean convergence of an elliptical power law inside its Einstein radius as a circle.

    It is (theta_E / R)^(gamma - 1) times this factor inside R: the mean over angles of
    (q cos^2 + sin^2 / q)^((1 - gamma) / 2), which is 1 for a round lens.

    Args:
        gamma: (N,) slope.
        q: (N,) axis ratio.
    """
    angle = np.arange(N_ANGLES) * np.pi / N_ANGLES
    square = q[:, None] * np.cos(angle) ** 2 + np.sin(angle) ** 2 / q[:, None]
    return (square ** ((1 - gamma[:, None]) / 2)).mean(1)


def perturber_pieces(
    profile: str,
    perturbers: Mapping[str, np.ndarray],
    offset: np.ndarray,
    *,
    center_x: np.ndarray,
    center_y: np.ndarray,
) -> Pieces:
    """Cut the perturbers of N systems into pieces.

    Args:
        profile: 'POINT_MASS', 'LINE_MASS' or 'TNFW'.
        perturbers: column -> (P,), with the parameters of the profile.
        offset: (N+1,) rows of each system.
        center_x, center_y: (N,) of the lens, arcsec.
    """
    owner = np.repeat(np.arange(len(offset) - 1), np.diff(offset))
    p = perturbers
    x, y = p["center_x"] - center_x[owner], p["center_y"] - center_y[owner]
    if profile == "TNFW":
        mass, size = _shells(p["Rs"], p["alpha_Rs"], p["r_trunc"])
        repeat = size.shape[1]
        distance = np.repeat(np.hypot(x, y), repeat)
        return Pieces(np.repeat(owner, repeat), mass.ravel(), distance, size.ravel(), rings=True)
    mass = np.sign(p["mass"]) * p["theta_E"] ** 2
    if profile == "POINT_MASS":
        return Pieces(owner, mass, np.hypot(x, y), np.zeros(len(x)), rings=False)
    node, weight = np.polynomial.legendre.leggauss(N_NODES)
    along = p["length"][:, None] / 2 * node
    distance = np.hypot(
        x[:, None] + along * np.cos(p["angle"])[:, None],
        y[:, None] + along * np.sin(p["angle"])[:, None],
    )
    mass = mass[:, None] * weight / 2
    owner, core = np.repeat(owner, N_NODES), np.repeat(p["core"], N_NODES)
    return Pieces(owner, mass.ravel(), distance.ravel(), core, rings=False)


def _shells(
    Rs: np.ndarray, alpha_Rs: np.ndarray, r_trunc: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mass and radius of the rings that stand for truncated NFW halos, (P, shells) each."""
    tau = (r_trunc / Rs)[:, None]
    step = np.linspace(0, 1, N_SHELLS)
    bound = 0.1 * (REACH * tau / 0.1) ** step
    enclosed = tnfw_enclosed(bound, tau)
    mass = np.diff(enclosed, axis=1, prepend=0.0)
    middle = np.sqrt(bound[:, 1:] * bound[:, :-1])
    size = np.concatenate([bound[:, :1] / 2, middle], axis=1)
    theta_N2 = alpha_Rs * Rs / (1 + np.log(0.5))
    return theta_N2[:, None] * mass, Rs[:, None] * size


def effective_einstein_radius(
    truth: Mapping[str, np.ndarray],
    *,
    q: np.ndarray,
    profile: str,
    perturbers: Mapping[str, np.ndarray],
    offset: np.ndarray,
) -> np.ndarray:
    """Radius about the lens inside which the mean convergence of all mass is 1.

    All mass is the power law, the perturbers and the sheet that makes room for them; shear and
    multipoles have no mean convergence in a circle. Point masses make the mean jump: the radius is
    then that of a downward crossing.

    Args:
        truth: columns (N,): theta_E, theta_E_total, gamma, center_x, center_y, kappa_sheet,
            r_sheet.
        q: (N,) axis ratio of the lens.
        profile, perturbers, offset: see :func:`perturber_pieces`.

    Returns:
        (N,) arcsec, between half and one and a half theta_E_total.
    """
    center = {k: truth[k] for k in ("center_x", "center_y")}
    pieces = perturber_pieces(profile, perturbers, offset, **center)
    factor = circle_factor(truth["gamma"], q)
    away = np.hypot(center["center_x"], center["center_y"])
    low, high = 0.5 * truth["theta_E_total"], 1.5 * truth["theta_E_total"]
    settled = np.zeros(len(low))
    for _ in range(N_STEPS):
        found, pieces = pieces.split(low, high)
        settled += found
        middle = (low + high) / 2
        smooth = factor * (truth["theta_E"] / middle) ** (truth["gamma"] - 1)
        sheet = truth["kappa_sheet"] * disc_share(middle, away, truth["r_sheet"])
        mean = smooth + sheet + (settled + pieces.inside(middle)) / middle**2
        low, high = np.where(mean > 1, middle, low), np.where(mean > 1, high, middle)
    return (low + high) / 2
