"""Priors of lens systems: macro model, source, light of the lens, substructure."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from lensml.schema.base import Count, Fraction, Positive, Section, WrongKey, check_one_of
from lensml.schema.bounds import mass, within
from lensml.schema.priors import CountPrior, Disc, Position, Prior

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


class Cosmology(Section):
    """Flat LambdaCDM."""

    H0: Annotated[float, within(20, 200, "km/s/Mpc")]
    """km/s/Mpc."""
    Om0: Annotated[float, within(0.01, 1)]
    """Density of matter."""
    Ob0: Fraction
    """Density of baryons, a part of it."""

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
    """Einstein radius, arcsec; or `sigma_v`."""
    sigma_v: Annotated[Prior, within(30, 1500, "km/s")] | None = None
    """Velocity dispersion of the isothermal sphere that has the Einstein radius, km/s."""
    gamma: Annotated[Prior, within(1.1, 2.9, "", "the mass diverges at 1 and at 3")] = 2.0
    """Slope of the elliptical power law; 2 is isothermal."""
    ellipticity: Ellipticity | None = None
    """Modulus of (e1, e2); or `q`."""
    q: AxisRatio | None = None
    """Minor axis over the major one."""
    phi: Angle
    """Position angle of the major axis, rad."""
    center_x: Annotated[Prior, within(-20, 20, "arcsec")]
    """Arcsec."""
    center_y: Annotated[Prior, within(-20, 20, "arcsec")]
    """Arcsec."""
    shear: Annotated[Prior, within(0, 0.5)]
    """Modulus of (gamma1, gamma2)."""
    shear_phi: Angle
    """Rad."""
    a3_a: Annotated[Prior, within(-0.2, 0.2)] = 0.0
    """Multipole of order 3, relative to the ellipse, as in lenstronomy's `EPL_MULTIPOLE_M3M4`."""
    a4_a: Annotated[Prior, within(-0.2, 0.2)] = 0.0
    """Multipole of order 4."""
    mass_compensation: Literal["enclosed", "sheet", "none"]
    """How the lens makes room for substructure: `enclosed` lowers `theta_E` by what is drawn
    inside it, `sheet` takes the expected mass away as a uniform disc (for `tnfw`; tides leave six
    sevenths of it inside the Einstein radius, whose mean is lower by one or two hundredths of a
    pixel), `none` adds mass.
    """

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        check_one_of(self, "theta_E", "sigma_v")
        return check_one_of(self, "ellipticity", "q")


class SourcePrior(Section):
    """Elliptical Sersic source; exactly one of ``ellipticity`` and ``q`` is given.

    With ``galaxies`` the light is that of observed galaxies instead: scaled to the drawn magnitude
    and half-light radius R_sersic, turned by phi; n_sersic and the axis ratio are not used.
    """

    magnitude: Magnitude
    """Unlensed, in the band of the domain, mag."""
    R_sersic: Radius
    """Half-light radius, arcsec."""
    n_sersic: SersicIndex
    """Sersic index."""
    phi: Angle
    """Position angle of the major axis, rad."""
    position: Position
    """Of the source's centre."""
    ellipticity: Ellipticity | None = None
    """Modulus of (e1, e2); or `q`."""
    q: AxisRatio | None = None
    """Minor axis over the major one."""
    galaxies: Literal["cosmos_acs_f814w"] | None = None
    """`cosmos_acs_f814w`: observed galaxies instead of Sersic profiles, scaled to the drawn
    magnitude and half-light radius; each galaxy is in one split only.
    """

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        return check_one_of(self, "ellipticity", "q")


class LensLightPrior(Section):
    """Light of the lens: a Sersic profile with the ellipticity of the mass.

    'kept' leaves it in the image. 'subtracted' removes a model of it: its photon noise stays, and
    a residual that is the fraction ``residual`` of it.
    """

    magnitude: Magnitude
    """Mag."""
    R_sersic: Radius
    """Half-light radius, arcsec."""
    n_sersic: SersicIndex
    """Sersic index."""
    misalignment: Angle
    """Between the major axes of light and mass, rad."""
    treatment: Literal["kept", "subtracted"]
    """`kept` leaves the light, `subtracted` removes it, but for the fraction `residual`, and keeps
    its photon noise.
    """
    residual: Annotated[Prior, within(-1, 1)]
    """Fraction of the light that is left over; may be negative."""


class CdmPoints(Section):
    """Subhalos as point masses with dN/dm proportional to m^shmf_slope."""

    profile: Literal["points"]
    """Point masses."""
    n_perturbers: CountPrior
    """Subhalos of a lens: a whole number or `{dist: poisson, mean: ...}`."""
    shmf_slope: Slope
    """Of the mass function: dN/dm is proportional to m^shmf_slope."""
    m_min: Mass
    """Lowest mass, Msun."""
    m_max: Mass
    """Highest mass, Msun."""
    position: Position
    """Of every subhalo."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        return _check_masses(self)


class Host(Section):
    """Halo of the lens, whose subhalos are truncated by its tide."""

    r_s: Annotated[float, within(0.1, 1e4, "kpc")]
    """Scale radius, kpc."""
    core: Annotated[float, within(0, 1e4, "kpc")]
    """Inside it the density of subhalos is constant, kpc."""
    r_max: Annotated[float, within(0.1, 1e5, "kpc")]
    """Where the halo ends, kpc."""


class CdmTnfw(Section):
    """Truncated NFW subhalos: dN/dm proportional to m200^shmf_slope, a Poisson count.

    ``f_sub`` is the expected convergence of all subhalos, in total (truncated) mass, over the
    convergence 1/2 of an isothermal lens at its Einstein radius.
    """

    profile: Literal["tnfw"]
    """Truncated NFW halos (Dutton & Maccio 2014 concentrations, tidal truncation in `host`), a
    Poisson count.
    """
    f_sub: Annotated[Prior, within(0, 1)]
    """Expected convergence of all subhalos, in truncated mass, over 1/2, the convergence of an
    isothermal lens at its Einstein radius.
    """
    shmf_slope: Slope
    """Of the mass function: dN/dm is proportional to m200^shmf_slope."""
    m_min: Mass
    """Lowest m200, Msun."""
    m_max: Mass
    """Highest m200, Msun."""
    position: Disc
    """Of every subhalo."""
    concentration_scatter: Annotated[float, within(0, 1, "dex")]
    """About Dutton & Maccio (2014), dex."""
    host: Host
    """Halo of the lens, whose tide truncates its subhalos."""

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
    """The published vortex: equal point masses on a straight chain."""
    n_points: Count
    """How many."""
    mass: MassPrior
    """In total, Msun."""
    log10_axion_mass: AxionMass
    """log10 of eV."""
    length_times_mass: Positive
    """Half-length of the chain times the axion's mass, arcsec eV."""
    position: Position
    """Of its centre."""
    phi: Angle
    """Rad."""


class VortexLine(Section):
    """A uniform line mass with a core, as long as the axion's de Broglie wavelength.

    Its mass is given, or with ``match: mass`` a draw of the total mass of the population's
    subhalos.
    """

    profile: Literal["line"]
    """A uniform line of mass with a core, as long as the axion's de Broglie wavelength."""
    mass: MassPrior | None = None
    """Msun; or `match`."""
    match: Literal["mass"] | None = None
    """`mass`: as heavy as a draw of the population's subhalos."""
    sign: Literal[1, -1] = 1
    """-1 for an underdense line."""
    inclined: bool = False
    """Whether the line points anywhere in space instead of lying in the sky."""
    log10_axion_mass: AxionMass
    """log10 of eV."""
    core_fraction: Annotated[float, Field(gt=0, le=1)]
    """Core over the half-length of the line in space."""
    position: Position
    """Of its centre."""
    phi: Angle
    """Rad."""

    @model_validator(mode="after")
    def _one_mass(self) -> Self:
        return check_one_of(self, "mass", "match")


VortexPrior = Annotated[VortexPoints | VortexLine, Field(discriminator="profile")]


class Population(Section):
    """Priors of the lens systems of every class."""

    description: str
    """One line for readers."""
    cosmology: Cosmology
    """Flat LambdaCDM."""
    distances: Literal["angular_diameter", "luminosity"]
    """`luminosity` where a published error is kept."""
    z_lens: Annotated[float, within(0.001, 20)]
    """Redshift of the lens."""
    z_source: Annotated[float, within(0.001, 20)]
    """Redshift of the source."""
    deflection_scale: Annotated[float, within(0.05, 20)]
    """Factor on every deflection: 1 unless a published error is kept."""
    symmetry: Literal["none", "half_turn", "flips", "square"]
    """The transformations that leave the population unchanged, for augmentation and at test time.
    It must be exact: a fixed lens along an axis allows flips only, and a source of fixed
    orientation only half a turn.
    """
    lens: LensPrior
    """Macro model: elliptical power law, multipoles, external shear."""
    source: SourcePrior
    """Elliptical Sersic source, or an observed galaxy."""
    lens_light: LensLightPrior | None = None
    """Sersic light of the lens with the shape of its mass; none if left out."""
    cdm: CdmPrior
    """Subhalos of the class `cdm`."""
    vortex: VortexPrior
    """Line mass of the class `vortex`."""

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
