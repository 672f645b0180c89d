"""Fits that believe something wrong of lenses, sources or camera: snakemake misspecification."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lensml.schema.base import Count, Name, Section, WrongKey, check_unique, without_null
from lensml.schema.bounds import within
from lensml.schema.errors import ConfigError, Origins, validated
from lensml.schema.fit import Fit, unfittable
from lensml.schema.population import Population
from lensml.schema.references import unlisted_domain
from lensml.schema.simulation import Domain, beyond_the_field
from lensml.schema.yaml_reader import deep_merge

KNOWN = "as_known"  # the case in which nothing is wrong
# Of a fit: of the potential filter, and of the residual.
FitScore = Literal["evidence", "z", "arc_low_1", "chi2"]
OF_THE_FILTER = ("evidence", "z")


class Case(Section):
    """What is otherwise than the observer believes, and with what images are fitted."""

    population_changes: dict[str, Any] = Field(default_factory=dict)
    """Of the true lenses, as in a domain of the catalogue."""
    psf_fwhm_factor: Annotated[float, within(0.5, 2)] = 1.0
    """FWHM of the believed PSF over the true one."""
    fit: dict[str, Any] = Field(default_factory=dict)
    """Changes in `fit`."""


class Sample(Section):
    """How many lenses are simulated, and what is asked of their fits."""

    n_validation: Annotated[int, Field(ge=2)]
    """Smooth validation lenses, as the observer believes them to be, which set thresholds."""
    n_smooth: Annotated[int, Field(ge=2)]
    """Smooth test lenses. Rates that fewer than ten smooth lenses of either kind decide are not
    given: a rate of one per cent needs 1,000.
    """
    n_substructure: Count
    """Test lenses of every other class."""
    scores: Annotated[list[FitScore], Field(min_length=1), AfterValidator(check_unique)]
    """`evidence` and `z` of the potential filter (left out where `fit.potential` is `null`),
    `arc_low_1` and `chi2` of the residual.
    """


class Misspecification(Sample):
    """Cases of one domain."""

    domain: Name | None
    """`null`: the first of `anomaly.domains` whose images can be fitted."""
    cases: Annotated[
        dict[Name, Case],
        BeforeValidator(without_null, json_schema_input_type=dict[Name, Case | None]),
    ]
    """Name: what is otherwise. `null` leaves a case out; `as_known: {}`, in which nothing is
    wrong, stays.
    """

    @model_validator(mode="after")
    def _has_a_reference(self) -> Self:
        if self.cases.get(KNOWN) != Case():
            raise WrongKey("cases", f"must hold '{KNOWN}: {{}}', in which nothing is wrong")
        return self

    @property
    def sample(self) -> Sample:
        """What a case depends on beside itself."""
        return self.part(Sample)


class Believed(Section):
    """A case made whole."""

    truth: Domain  # lenses and camera as they are
    believed: Domain  # as the observer takes them to be
    fit: Fit


def resolve_case(case: Case, domain: Domain, fit: Fit) -> Believed:
    """A case of a domain.

    Args:
        case: its changes.
        domain: as it is configured, which the observer believes but for the PSF.
        fit: of the configuration.

    Raises:
        ValidationError: a change is not allowed.
    """
    population = deep_merge(domain.population.model_dump(), case.population_changes)
    truth = domain.model_copy(update={"population": Population.model_validate(population)})
    return Believed(
        truth=truth,
        believed=_with_psf(domain, case.psf_fwhm_factor),
        fit=Fit.model_validate(deep_merge(fit.model_dump(), case.fit)),
    )


def _with_psf(domain: Domain, factor: float) -> Domain:
    """A domain whose PSF is wider by a factor, wings and all."""
    instrument, wings = domain.instrument, domain.instrument.psf_wings
    changes: dict[str, Any] = {"psf_fwhm": factor * instrument.psf_fwhm}
    if wings is not None:
        changes["psf_wings"] = wings.model_copy(update={"fwhm": factor * wings.fwhm})
    return domain.model_copy(update={"instrument": instrument.model_copy(update=changes)})


def studied_domain(config: Any) -> str | None:
    """The domain of the study; None if none of the configuration can be fitted."""
    named = config.misspecification.domain
    if named is not None:
        return named
    names = dict.fromkeys([*config.anomaly.domains, *config.domains])
    return next((n for n in names if not unfittable(config.resolved[n])), None)


def scores_of(config: Any) -> list[FitScore]:
    """Scores of the study; those of the filter where a potential is looked for at all."""
    every = config.misspecification.scores
    return [s for s in every if s not in OF_THE_FILTER or config.fit.potential is not None]


def misspecification_problems(config: Any, origins: Origins) -> list[str]:
    """What is wrong in the section, one line each.

    Args:
        config: with the sections misspecification, anomaly and fit, and its domains resolved.
        origins: files of the configuration.
    """
    section, name = config.misspecification, studied_domain(config)
    lines = unlisted_domain("misspecification.domain", config, origins)
    if lines or name is None:
        return lines
    problem = unfittable(config.resolved[name])
    if problem:
        return [origins.line("misspecification.domain", problem, value=name)]
    for case_name, case in section.cases.items():
        where = f"misspecification.cases.{case_name}"
        lines += _problems_of(case, where, config.resolved[name], config, origins)
    return lines


def _problems_of(
    case: Case, where: str, domain: Domain, config: Any, origins: Origins
) -> list[str]:
    lines = _wrong_changes(
        Population,
        domain.population,
        case.population_changes,
        f"{where}.population_changes",
        origins,
    )
    lines += _wrong_changes(Fit, config.fit, case.fit, f"{where}.fit", origins)
    if lines:
        return lines
    whole = resolve_case(case, domain, config.fit)
    for key, one in (("population_changes", whole.truth), ("psf_fwhm_factor", whole.believed)):
        lines += [origins.line(f"{where}.{key}", p) for p in beyond_the_field(one)[:1]]
    lost = [s for s in scores_of(config) if s in OF_THE_FILTER]
    if whole.fit.potential is None and lost:
        problem = f"misspecification.scores lists {lost[0]}, which is of a potential; give one"
        lines += [origins.line(f"{where}.fit.potential", problem)]
    return lines


def _wrong_changes(
    model: type[Section], base: Section, changes: dict[str, Any], where: str, origins: Origins
) -> list[str]:
    """One line per mistake in the changes of a section."""
    own = Origins({f"{origins.file_of(where.split('.'))}: {where}": changes})
    try:
        validated(model, deep_merge(base.model_dump(), changes), own)
    except ConfigError as error:
        return error.lines
    return []
