"""What is simulated: instruments, populations of lens systems, observing domains."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from lensml.schema.base import Count, Fraction, Name, NonNegative, Positive, Section
from lensml.schema.priors import CountPrior, Disc, Position, Prior, lowest

SPLITS = ("train", "val", "test")


class PsfWings(Section):
    """A second, wider Gaussian of the point spread function."""

    fraction: Annotated[float, Field(gt=0, lt=1)]  # of the light
    fwhm: Positive  # arcsec


class Instrument(Section):
    """A camera and its exposure; names follow lenstronomy's observation configurations.

    The noise of the background is either given (``background_rms``) or follows from
    ``read_noise`` and ``sky_brightness``.
    """

    description: str
    pixel_scale: Positive  # arcsec
    exposure_time: Prior  # s, of one exposure
    num_exposures: Count
    magnitude_zero_point: float  # magnitude of 1 e-/s
    psf_fwhm: Positive  # arcsec, Gaussian
    psf_wings: PsfWings | None = None
    psf_truncation: Positive = 4.0  # standard deviations, of either Gaussian
    read_noise: NonNegative | None = None  # e-, per exposure and pixel
    sky_brightness: float | None = None  # mag / arcsec^2
    background_rms: Positive | None = None  # e-/s per pixel
    noise: Literal["gaussian", "none"] = "gaussian"  # none: for published data without noise

    @property
    def psf_components(self) -> list[tuple[float, float]]:
        """Share of the light and FWHM (arcsec) of the Gaussians that make up the PSF."""
        if self.psf_wings is None:
            return [(1.0, self.psf_fwhm)]
        wings = self.psf_wings
        return [(1 - wings.fraction, self.psf_fwhm), (wings.fraction, wings.fwhm)]

    @model_validator(mode="after")
    def _wings_are_wider(self) -> Self:
        if self.psf_wings is not None and self.psf_wings.fwhm <= self.psf_fwhm:
            raise ValueError(
                f"psf_wings.fwhm ({self.psf_wings.fwhm}) must be above psf_fwhm ({self.psf_fwhm})"
            )
        return self

    @model_validator(mode="after")
    def _one_background(self) -> Self:
        physical = self.read_noise is not None and self.sky_brightness is not None
        partial = self.read_noise is not None or self.sky_brightness is not None
        if physical == (self.background_rms is not None) or (partial and not physical):
            raise ValueError("give either background_rms, or both read_noise and sky_brightness")
        return self


class Cosmology(Section):
    """Flat LambdaCDM."""

    H0: Positive  # km/s/Mpc
    Om0: Fraction
    Ob0: Fraction


class LensPrior(Section):
    """Macro model: elliptical power law, multipoles of order 3 and 4, external shear.

    The Einstein radius is given, or follows from the velocity dispersion ``sigma_v`` (isothermal
    sphere); exactly one of the two is given.
    """

    theta_E: Prior | None = None  # arcsec
    sigma_v: Prior | None = None  # km/s
    gamma: Prior = 2.0  # slope of the power law; 2 is isothermal
    ellipticity: Prior | None = None  # modulus of (e1, e2)
    q: Prior | None = None  # axis ratio, instead of ellipticity
    phi: Prior  # rad, position angle of the major axis
    center_x: Prior  # arcsec
    center_y: Prior  # arcsec
    shear: Prior  # modulus of (gamma1, gamma2)
    shear_phi: Prior  # rad
    a3_a: Prior = 0.0  # multipoles relative to the ellipse, as in EPL_MULTIPOLE_M3M4
    a4_a: Prior = 0.0
    # How the smooth lens makes room for substructure: 'enclosed' lowers theta_E by the mass that
    # is drawn inside it, 'sheet' takes the expected mass away as a uniform disc, 'none' adds mass.
    mass_compensation: Literal["enclosed", "sheet", "none"]

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.theta_E is None) == (self.sigma_v is None):
            raise ValueError("give exactly one of theta_E and sigma_v")
        if (self.ellipticity is None) == (self.q is None):
            raise ValueError("give exactly one of ellipticity and q")
        return self


class SourcePrior(Section):
    """Elliptical Sersic source; exactly one of ``ellipticity`` and ``q`` is given.

    With ``galaxies`` the light is that of observed galaxies instead: scaled to the drawn magnitude
    and half-light radius R_sersic, turned by phi; n_sersic and the axis ratio are not used.
    """

    magnitude: Prior  # unlensed, in the band of the domain
    R_sersic: Prior  # arcsec
    n_sersic: Prior
    phi: Prior  # rad
    position: Position
    ellipticity: Prior | None = None
    q: Prior | None = None
    galaxies: Literal["cosmos_acs_f814w"] | None = None

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if (self.ellipticity is None) == (self.q is None):
            raise ValueError("give exactly one of ellipticity and q")
        _check_positive(self, "R_sersic", "n_sersic")
        return self


def _check_positive(section: Any, *names: str) -> None:
    for name in names:
        low = lowest(getattr(section, name))
        if low <= 0:
            raise ValueError(f"{name} must be above 0, its prior reaches {low:g}")


class LensLightPrior(Section):
    """Light of the lens: a Sersic profile with the ellipticity of the mass.

    'kept' leaves it in the image. 'subtracted' removes a model of it: its photon noise stays, and
    a residual that is the fraction ``residual`` of it.
    """

    magnitude: Prior
    R_sersic: Prior  # arcsec
    n_sersic: Prior
    misalignment: Prior  # rad, between the major axes of light and mass
    treatment: Literal["kept", "subtracted"]
    residual: Prior  # fraction, may be negative

    @model_validator(mode="after")
    def _has_a_size(self) -> Self:
        _check_positive(self, "R_sersic", "n_sersic")
        return self


class CdmPoints(Section):
    """Subhalos as point masses with dN/dm proportional to m^shmf_slope."""

    profile: Literal["points"]
    n_perturbers: CountPrior
    shmf_slope: float
    m_min: Positive  # Msun
    m_max: Positive  # Msun
    position: Position

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        return _check_masses(self)


class Host(Section):
    """Halo of the lens, whose subhalos are truncated by its tide."""

    r_s: Positive  # kpc
    core: NonNegative  # kpc, inside which the density of subhalos is constant
    r_max: Positive  # kpc


class CdmTnfw(Section):
    """Truncated NFW subhalos: dN/dm proportional to m200^shmf_slope, a Poisson count.

    ``f_sub`` is the expected convergence of all subhalos, in total (truncated) mass, over the
    convergence 1/2 of an isothermal lens at its Einstein radius.
    """

    profile: Literal["tnfw"]
    f_sub: Prior
    shmf_slope: float
    m_min: Positive  # Msun, m200
    m_max: Positive  # Msun, m200
    position: Disc
    concentration_scatter: NonNegative  # dex about Dutton & Maccio (2014)
    host: Host

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        return _check_masses(self)


CdmPrior = Annotated[CdmPoints | CdmTnfw, Field(discriminator="profile")]


def _check_masses(section: Any) -> Any:
    if section.m_min >= section.m_max:
        raise ValueError(f"m_min ({section.m_min:g}) must be below m_max ({section.m_max:g})")
    return section


class VortexPoints(Section):
    """The published vortex: equal point masses on a straight chain."""

    profile: Literal["points"]
    n_points: Count
    mass: Prior  # Msun, in total
    log10_axion_mass: Prior  # log10 of eV
    length_times_mass: Positive  # arcsec eV: half-length = length_times_mass / axion mass
    position: Position
    phi: Prior  # rad


class VortexLine(Section):
    """A uniform line mass with a core, as long as the axion's de Broglie wavelength.

    Its mass is given, or with ``match: mass`` a draw of the total mass of the population's
    subhalos.
    """

    profile: Literal["line"]
    mass: Prior | None = None  # Msun
    match: Literal["mass"] | None = None
    sign: Literal[1, -1] = 1  # -1: an underdense line
    inclined: bool = False  # the line points anywhere in space instead of lying in the sky
    log10_axion_mass: Prior  # log10 of eV
    core_fraction: Positive  # core / half-length; never below one ray spacing
    position: Position
    phi: Prior  # rad

    @model_validator(mode="after")
    def _one_mass(self) -> Self:
        if (self.mass is None) == (self.match is None):
            raise ValueError("give exactly one of mass and match")
        return self


VortexPrior = Annotated[VortexPoints | VortexLine, Field(discriminator="profile")]


class Population(Section):
    """Priors of the lens systems of every class."""

    description: str
    cosmology: Cosmology
    distances: Literal["angular_diameter", "luminosity"]
    z_lens: Positive
    z_source: Positive
    deflection_scale: Positive  # factor on every deflection (1 unless a published bug is kept)
    # Transformations that leave the population unchanged: used as augmentation and at test time.
    symmetry: Literal["none", "half_turn", "flips", "square"]
    lens: LensPrior
    source: SourcePrior
    lens_light: LensLightPrior | None = None
    cdm: CdmPrior
    vortex: VortexPrior

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.z_source <= self.z_lens:
            raise ValueError(f"z_source ({self.z_source}) must exceed z_lens ({self.z_lens})")
        tnfw = isinstance(self.cdm, CdmTnfw)
        if self.lens.mass_compensation == "sheet" and not tnfw:
            raise ValueError("mass_compensation: sheet needs cdm.profile: tnfw")
        if isinstance(self.vortex, VortexLine) and self.vortex.match and not tnfw:
            raise ValueError("vortex.match: mass needs cdm.profile: tnfw")
        return self


class DomainFile(Section):
    """A domain as it is written in the catalogue: names, and changes to what they stand for."""

    description: str
    label: str = ""  # in figures; the name, where there is none
    instrument: Name
    population: Name
    num_pix: Annotated[int, Field(ge=8, le=1024)]
    supersampling_factor: Annotated[int, Field(ge=1, le=16)]
    refinement_factor: Annotated[int, Field(ge=1, le=16)] = 1
    instrument_changes: dict[str, Any] = Field(default_factory=dict)
    population_changes: dict[str, Any] = Field(default_factory=dict)


class Domain(Section):
    """An observing domain with its instrument and population resolved."""

    name: Name
    num_pix: Annotated[int, Field(ge=8, le=1024)]  # pixels per axis
    supersampling_factor: Annotated[int, Field(ge=1, le=16)]  # rays per pixel and axis
    refinement_factor: Annotated[int, Field(ge=1, le=16)] = 1  # per ray, where brightness bends
    instrument: Instrument
    population: Population


class Simulation(Section):
    """How many images are simulated, and by which engine."""

    engine: Literal["numba", "lenstronomy"]
    precision: Literal["float32", "float64"]
    n_train: Count  # images per class
    n_val: Count
    n_test: Count
    images_per_block: Count  # one job and one chunk of the store

    def count(self, split: str) -> int:
        """Images per class in a split."""
        return {"train": self.n_train, "val": self.n_val, "test": self.n_test}[split]
