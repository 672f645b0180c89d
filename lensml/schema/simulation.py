"""What is simulated: instruments, populations of lens systems, observing domains."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from lensml.schema.base import (
    Count,
    Fraction,
    Name,
    Positive,
    Section,
    WrongKey,
    check_one_of,
)
from lensml.schema.bounds import mass, radius_of, reach, within
from lensml.schema.files import ImageFiles
from lensml.schema.priors import CountPrior, Disc, DiscThetaE, Position, Prior

CENTER = ("center_x", "center_y")
SPLITS = ("train", "val", "test")

Angle = Annotated[Prior, within(-7, 7, "rad", "degrees are not taken")]
Ellipticity = Annotated[Prior, within(0, 0.9)]
AxisRatio = Annotated[Prior, within(0.05, 1, "", "q is the minor axis over the major one")]
Magnitude = Annotated[Prior, within(5, 40, "mag")]
Radius = Annotated[Prior, within(1e-4, 20, "arcsec")]
SersicIndex = Annotated[Prior, within(0.25, 12)]
Mass = Annotated[float, mass()]  # Msun
MassPrior = Annotated[Prior, mass()]  # Msun
Slope = Annotated[float, within(-4, 0, "", "dN/dm is proportional to m^shmf_slope")]
AxionMass = Annotated[Prior, within(-30, -15, "log10 eV")]


class PsfWings(Section):
    """A second, wider Gaussian of the point spread function."""

    fraction: Annotated[float, Field(gt=0, lt=1)]  # of the light
    fwhm: Annotated[float, within(0.001, 20, "arcsec")]


class Instrument(Section):
    """A camera and its exposure; names follow lenstronomy's observation configurations.

    The noise of the background is either given (``background_rms``) or follows from
    ``read_noise`` and ``sky_brightness``.
    """

    description: str
    pixel_scale: Annotated[float, within(0.001, 5, "arcsec")]
    exposure_time: Annotated[Prior, within(1e-3, 1e7, "s")]  # of one exposure
    num_exposures: Annotated[int, Field(ge=1, le=100_000)]
    magnitude_zero_point: Annotated[  # magnitude of 1 e-/s
        float, within(15, 35, "mag", "8.9 is the zero point of janskys, not of 1 e-/s")
    ]
    psf_fwhm: Annotated[float, within(0.001, 20, "arcsec")]  # Gaussian
    psf_wings: PsfWings | None = None
    psf_truncation: Annotated[float, within(1, 20)] = (
        4.0  # standard deviations, of either Gaussian
    )
    read_noise: Annotated[float, within(0, 1e4, "e-")] | None = None  # per exposure, pixel
    sky_brightness: Annotated[float, within(10, 35, "mag / arcsec^2")] | None = None
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
            found = [
                f"{key} = {value}"
                for key in ("background_rms", "read_noise", "sky_brightness")
                if (value := getattr(self, key)) is not None
            ]
            raise ValueError(
                "give either background_rms, or both read_noise and sky_brightness, found "
                + (", ".join(found) or "none of them")
            )
        return self


class Cosmology(Section):
    """Flat LambdaCDM."""

    H0: Annotated[float, within(20, 200, "km/s/Mpc")]
    Om0: Annotated[float, within(0.01, 1)]
    Ob0: Fraction

    @model_validator(mode="after")
    def _baryons_are_matter(self) -> Self:
        if self.Ob0 > self.Om0:
            raise WrongKey("Ob0", f"must not exceed Om0 ({self.Om0}), of which baryons are a part")
        return self


class LensPrior(Section):
    """Macro model: elliptical power law, multipoles of order 3 and 4, external shear.

    The Einstein radius is given, or follows from the velocity dispersion ``sigma_v`` (isothermal
    sphere); exactly one of the two is given.
    """

    theta_E: Annotated[Prior, within(0.01, 20, "arcsec")] | None = None
    sigma_v: Annotated[Prior, within(30, 1500, "km/s")] | None = None
    # Slope of the power law; 2 is isothermal.
    gamma: Annotated[Prior, within(1.1, 2.9, "", "the mass diverges at 1 and at 3")] = 2.0
    ellipticity: Ellipticity | None = None  # modulus of (e1, e2)
    q: AxisRatio | None = None  # instead of ellipticity
    phi: Angle  # rad, position angle of the major axis
    center_x: Annotated[Prior, within(-20, 20, "arcsec")]
    center_y: Annotated[Prior, within(-20, 20, "arcsec")]
    shear: Annotated[Prior, within(0, 0.5)]  # modulus of (gamma1, gamma2)
    shear_phi: Angle  # rad
    # Multipoles relative to the ellipse, as in EPL_MULTIPOLE_M3M4.
    a3_a: Annotated[Prior, within(-0.2, 0.2)] = 0.0
    a4_a: Annotated[Prior, within(-0.2, 0.2)] = 0.0
    # How the smooth lens makes room for substructure: 'enclosed' lowers theta_E by the mass that
    # is drawn inside it, 'sheet' takes the expected mass away as a uniform disc, 'none' adds mass.
    mass_compensation: Literal["enclosed", "sheet", "none"]

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        check_one_of(self, "theta_E", "sigma_v")
        return check_one_of(self, "ellipticity", "q")


class SourcePrior(Section):
    """Elliptical Sersic source; exactly one of ``ellipticity`` and ``q`` is given.

    With ``galaxies`` the light is that of observed galaxies instead: scaled to the drawn magnitude
    and half-light radius R_sersic, turned by phi; n_sersic and the axis ratio are not used.
    """

    magnitude: Magnitude  # unlensed, in the band of the domain
    R_sersic: Radius
    n_sersic: SersicIndex
    phi: Angle  # rad
    position: Position
    ellipticity: Ellipticity | None = None
    q: AxisRatio | None = None
    galaxies: Literal["cosmos_acs_f814w"] | None = None

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        return check_one_of(self, "ellipticity", "q")


class LensLightPrior(Section):
    """Light of the lens: a Sersic profile with the ellipticity of the mass.

    'kept' leaves it in the image. 'subtracted' removes a model of it: its photon noise stays, and
    a residual that is the fraction ``residual`` of it.
    """

    magnitude: Magnitude
    R_sersic: Radius
    n_sersic: SersicIndex
    misalignment: Angle  # rad, between the major axes of light and mass
    treatment: Literal["kept", "subtracted"]
    residual: Annotated[Prior, within(-1, 1)]  # fraction, may be negative


class CdmPoints(Section):
    """Subhalos as point masses with dN/dm proportional to m^shmf_slope."""

    profile: Literal["points"]
    n_perturbers: CountPrior
    shmf_slope: Slope
    m_min: Mass
    m_max: Mass
    position: Position

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        return _check_masses(self)


class Host(Section):
    """Halo of the lens, whose subhalos are truncated by its tide."""

    r_s: Annotated[float, within(0.1, 1e4, "kpc")]
    core: Annotated[float, within(0, 1e4, "kpc")]  # inside it the density of subhalos is constant
    r_max: Annotated[float, within(0.1, 1e5, "kpc")]


class CdmTnfw(Section):
    """Truncated NFW subhalos: dN/dm proportional to m200^shmf_slope, a Poisson count.

    ``f_sub`` is the expected convergence of all subhalos, in total (truncated) mass, over the
    convergence 1/2 of an isothermal lens at its Einstein radius.
    """

    profile: Literal["tnfw"]
    f_sub: Annotated[Prior, within(0, 1)]
    shmf_slope: Slope
    m_min: Mass  # m200
    m_max: Mass  # m200
    position: Disc
    concentration_scatter: Annotated[float, within(0, 1, "dex")]  # about Dutton & Maccio (2014)
    host: Host

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        return _check_masses(self)


CdmPrior = Annotated[CdmPoints | CdmTnfw, Field(discriminator="profile")]


def _check_masses(section: Any) -> Any:
    if section.m_min >= section.m_max:
        raise WrongKey("m_min", f"must be below m_max ({section.m_max:g})")
    return section


class VortexPoints(Section):
    """The published vortex: equal point masses on a straight chain."""

    profile: Literal["points"]
    n_points: Count
    mass: MassPrior  # in total
    log10_axion_mass: AxionMass
    length_times_mass: Positive  # arcsec eV: half-length = length_times_mass / axion mass
    position: Position
    phi: Angle  # rad


class VortexLine(Section):
    """A uniform line mass with a core, as long as the axion's de Broglie wavelength.

    Its mass is given, or with ``match: mass`` a draw of the total mass of the population's
    subhalos.
    """

    profile: Literal["line"]
    mass: MassPrior | None = None
    match: Literal["mass"] | None = None
    sign: Literal[1, -1] = 1  # -1: an underdense line
    inclined: bool = False  # the line points anywhere in space instead of lying in the sky
    log10_axion_mass: AxionMass
    core_fraction: Annotated[float, Field(gt=0, le=1)]  # core / half-length of the line in space
    position: Position
    phi: Angle  # rad

    @model_validator(mode="after")
    def _one_mass(self) -> Self:
        return check_one_of(self, "mass", "match")


VortexPrior = Annotated[VortexPoints | VortexLine, Field(discriminator="profile")]


class Population(Section):
    """Priors of the lens systems of every class."""

    description: str
    cosmology: Cosmology
    distances: Literal["angular_diameter", "luminosity"]
    z_lens: Annotated[float, within(0.001, 20)]
    z_source: Annotated[float, within(0.001, 20)]
    deflection_scale: Annotated[
        float, within(0.05, 20)
    ]  # factor on every deflection (1 unless a published bug is kept)
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
            raise WrongKey("z_source", f"must exceed z_lens ({self.z_lens})")
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
    files: ImageFiles | None = None  # images that others made, instead of simulated ones
    instrument_changes: dict[str, Any] = Field(default_factory=dict)
    population_changes: dict[str, Any] = Field(default_factory=dict)


class Domain(Section):
    """An observing domain with its instrument and population resolved.

    Where its images are in files, these are what their smooth lenses are fitted with and what
    their symmetry is taken from.
    """

    name: Name
    num_pix: Annotated[int, Field(ge=8, le=1024)]  # pixels per axis
    supersampling_factor: Annotated[int, Field(ge=1, le=16)]  # rays per pixel and axis
    refinement_factor: Annotated[int, Field(ge=1, le=16)] = 1  # per ray, where brightness bends
    instrument: Instrument
    population: Population
    files: ImageFiles | None = None

    @model_serializer(mode="wrap")
    def _simulated_as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Of a simulated domain the same as before there were files: stores name their domain."""
        content: dict[str, Any] = handler(self)
        if content.get("files") is None:
            content.pop("files", None)
        return content


def beyond_the_field(domain: Domain) -> list[str]:
    """What of a domain's lenses and PSF does not fit into its images, one text each."""
    scale = domain.instrument.pixel_scale
    half = domain.num_pix * scale / 2
    field = f"{domain.num_pix} pixels of {scale:g} arcsec"
    return [
        f"{key} reaches {size:.3g} arcsec and half of the field is {half:.3g} ({field}): the "
        "image would miss it"
        for key, size in _sizes(domain)
        if size > half
    ]


def _sizes(domain: Domain) -> list[tuple[str, float]]:
    """Keys and how far from the centre what they describe can lie, arcsec."""
    lens, source = domain.population.lens, domain.population.source
    found = [("psf_fwhm", domain.instrument.psf_fwhm)]
    if lens.theta_E is not None:
        found.append(("lens.theta_E", reach(lens.theta_E)[1]))
    found += [(f"lens.{k}", max(map(abs, reach(getattr(lens, k))))) for k in CENTER]
    if not isinstance(source.position, DiscThetaE):
        found.append(("source.position", radius_of(source.position)))
    return found


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
