"""Where cameras can be brought together, and where a configuration that asks for it is refused."""

from __future__ import annotations

from typing import get_args

import pytest

from lensml.schema.adaptation import Method

KNOWN = "adaptation: {harmonise: known%s}"


def test_all_methods_are_those_that_a_pair_can_have(load):
    plain = load("adaptation: {methods: all}").adaptation
    assert not plain.harmonises
    assert set(get_args(Method)) - set(plain.methods) == {"source_harmonised"}
    harmonised = load(KNOWN % ", methods: all").adaptation
    assert harmonised.harmonises
    assert set(harmonised.methods) == set(get_args(Method))


def test_adda_can_start_where_the_cameras_are_one(load):
    text = KNOWN % ", adda: {start: harmonised}"
    assert load(text).adaptation.adda.start == "harmonised"
    assert load(text.replace("known", "fitted")).adaptation.harmonise == "fitted"


MISTAKES = {
    "start without cameras": (
        "adaptation: {adda: {start: harmonised}}",
        "adaptation.harmonise = 'none': adda.start is harmonised, for which cameras must be "
        "brought together: allowed are known and fitted",
    ),
    "method without cameras": (
        "adaptation: {methods: [source_only, source_harmonised]}",
        "adaptation.harmonise = 'none': methods list source_harmonised",
    ),
    "another word": (
        "adaptation: {harmonise: auto}",
        "adaptation.harmonise = 'auto': should be 'none', 'known' or 'fitted'",
    ),
    "channels of fits": (
        KNOWN % "" + "\nnetwork_input: {channels: [image, residual]}",
        "adaptation.harmonise = 'known': network_input.channels are image, residual, and images "
        "of the common camera are not fitted; allowed are channels [image], or harmonise none",
    ),
    "images without noise": (
        KNOWN % "" + "\ncatalogue: {domains: {hst: {instrument_changes: {noise: none}}}}",
        "adaptation.harmonise = 'known': the images of 'hst' have no noise",
    ),
    "development beside it": (
        KNOWN % "" + "\ndomains: [euclid, hst, euclid_soft]\n"
        "development: {pairs: [{source: euclid, target: euclid_soft}]}",
        "adaptation.harmonise = 'known': development.pairs adapt images as they are",
    ),
    "few images for a fit": (
        "adaptation: {harmonise: fitted}\nsimulation: {n_train: 96}\n"
        "pretraining: {fractions: [1.0]}\ntasks: [classification, adaptation]",
        "adaptation.harmonise = 'fitted': a domain has 288 training images and a camera needs 300",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_be_is_one_line_with_what_is_allowed(problem, mistake):
    text, line = MISTAKES[mistake]
    assert line in problem(text)


def test_nothing_is_asked_of_pairs_that_are_not(load):
    text = KNOWN % "" + "\nnetwork_input: {channels: [image, residual]}\ntasks: [classification]"
    assert load(text).adaptation.pairs == []
