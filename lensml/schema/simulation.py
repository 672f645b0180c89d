"""What is simulated: instruments, populations of lens systems, observing domains."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from lensml.schema.base import Count, Fraction, Name, NonNegative, Positive, Section
from lensml.schema.priors import CountPrior, Position, Prior

SPLITS = ("train", "val", "test")


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
    psf_truncation: Positive = 4.0  # standard deviations
    read_noise: NonNegative | None = None  # e-, per exposure and pixel
    sky_brightness: float | None = None  # mag / arcsec^2
    background_rms: Positive | None = None  # e-/s per pixel

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
    """Macro model: singular isothermal ellipsoid and external shear."""

    theta_E: Prior  # arcsec
    ellipticity: Prior  # modulus of (e1, e2)
    phi: Prior  # rad, position angle of the major axis
    center_x: Prior  # arcsec
    center_y: Prior  # arcsec
    shear: Prior  # modulus of (gamma1, gamma2)
    shear_phi: Prior  # rad
    # What happens to theta_E when substructure is added: 'enclosed' keeps the mass inside theta_E
    # (the smooth lens gives up what the substructure brings), 'none' adds mass on top.
    mass_compensation: Literal["enclosed", "none"]


class SourcePrior(Section):
    """Elliptical Sersic source; exactly one of ``ellipticity`` and ``q`` is given."""

    magnitude: Prior  # unlensed, in the band of the domain
    R_sersic: Prior  # arcsec
    n_sersic: Prior
    phi: Prior  # rad
    position: Position
    ellipticity: Prior | None = None
    q: Prior | None = None

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if (self.ellipticity is None) == (self.q is None):
            raise ValueError("give exactly one of ellipticity and q")
        return self


class CdmPrior(Section):
    """Subhalos as point masses with dN/dm proportional to m^shmf_slope."""

    n_perturbers: CountPrior
    shmf_slope: float
    m_min: Positive  # Msun
    m_max: Positive  # Msun
    position: Position

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.m_min >= self.m_max:
            raise ValueError(f"m_min ({self.m_min:g}) must be below m_max ({self.m_max:g})")
        return self


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
    """A uniform line mass with a core, as long as the axion's de Broglie wavelength."""

    profile: Literal["line"]
    mass: Prior  # Msun
    log10_axion_mass: Prior  # log10 of eV
    core_fraction: Positive  # core / half-length; never below one ray spacing
    position: Position
    phi: Prior  # rad


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
    cdm: CdmPrior
    vortex: VortexPrior

    @model_validator(mode="after")
    def _source_behind_lens(self) -> Self:
        if self.z_source <= self.z_lens:
            raise ValueError(f"z_source ({self.z_source}) must exceed z_lens ({self.z_lens})")
        return self


class DomainFile(Section):
    """A domain as it is written in the catalogue: names, and changes to what they stand for."""

    description: str
    instrument: Name
    population: Name
    num_pix: Annotated[int, Field(ge=8, le=1024)]
    supersampling_factor: Annotated[int, Field(ge=1, le=16)]
    instrument_changes: dict[str, Any] = Field(default_factory=dict)
    population_changes: dict[str, Any] = Field(default_factory=dict)


class Domain(Section):
    """An observing domain with its instrument and population resolved."""

    name: Name
    num_pix: Annotated[int, Field(ge=8, le=1024)]  # pixels per axis
    supersampling_factor: Annotated[int, Field(ge=1, le=16)]  # rays per pixel and axis
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
