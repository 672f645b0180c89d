"""Wrong configurations of every kind: each is named with file, key, value and what is allowed."""

from __future__ import annotations

import re

import pytest

from lensml.schema import ConfigError

POPULATION = "catalogue: {populations: {deeplense_varied: {%s}}}"
EUCLID = "catalogue: {instruments: {euclid_vis: {%s}}}"
DOMAIN = "catalogue: {domains: {euclid: {%s}}}"
REALISTIC = "domains: [euclid, hst, euclid_realistic]\ncatalogue: {populations: {realistic: {%s}}}"

# What a lens, a source or dark matter cannot be. Overlay; key and value; what is allowed.
UNPHYSICAL: dict[str, tuple[str, str, str]] = {
    "negative Einstein radius": (
        POPULATION % "lens: {theta_E: -1.2}",
        "lens.theta_E = -1.2",
        "between 0.01 and 20 arcsec",
    ),
    "Einstein radius beyond the field": (
        POPULATION % "lens: {theta_E: 12.0}",
        "lens.theta_E reaches 12 arcsec",
        "half of the field",
    ),
    "lens whose prior leaves the field": (
        POPULATION % "lens: {center_x: {dist: uniform, low: -9.0, high: 0.0}}",
        "lens.center_x reaches 9 arcsec",
        "half of the field",
    ),
    "ellipticity of one": (
        POPULATION % "lens: {ellipticity: 1.0}",
        "lens.ellipticity = 1.0",
        "between 0 and 0.9",
    ),
    "negative ellipticity": (
        POPULATION % "lens: {ellipticity: {dist: uniform, low: -0.4, high: 0.2}}",
        "lens.ellipticity = {'dist': 'uniform', 'low': -0.4, 'high': 0.2}",
        "between 0 and 0.9, its prior reaches -0.4",
    ),
    "axis ratio of zero": (
        POPULATION % "lens: {ellipticity: null, q: 0.0}",
        "lens.q = 0.0",
        "between 0.05 and 1; q is the minor axis over the major one",
    ),
    "axis ratio above one": (
        POPULATION % "lens: {ellipticity: null, q: 1.4}",
        "lens.q = 1.4",
        "between 0.05 and 1",
    ),
    "slope too shallow": (
        POPULATION % "lens: {gamma: 0.9}",
        "lens.gamma = 0.9",
        "between 1.1 and 2.9; the mass diverges at 1 and at 3",
    ),
    "slope too steep": (POPULATION % "lens: {gamma: 3.5}", "lens.gamma = 3.5", "1.1 and 2.9"),
    "angle in degrees": (POPULATION % "lens: {phi: 45.0}", "lens.phi = 45.0", "degrees"),
    "shear of two": (POPULATION % "lens: {shear: 2.0}", "lens.shear = 2.0", "between 0 and 0.5"),
    "logarithm for the lowest mass": (
        POPULATION % "cdm: {m_min: 6.0}",
        "cdm.m_min = 6.0",
        "between 100 and 1e+14 Msun; 6 looks like its log10: write 1.0e6",
    ),
    "logarithm for the highest mass": (
        POPULATION % "cdm: {m_max: 10.0}",
        "cdm.m_max = 10.0",
        "write 1.0e10",
    ),
    "masses the wrong way round": (
        POPULATION % "cdm: {m_min: 1.0e10, m_max: 1.0e6}",
        "m_min = 10000000000.0",
        "must be below m_max (1e+06)",
    ),
    "mass function that rises": (
        POPULATION % "cdm: {shmf_slope: 1.9}",
        "cdm.shmf_slope = 1.9",
        "between -4 and 0; dN/dm is proportional to m^shmf_slope",
    ),
    "negative number of subhalos": (
        POPULATION % "cdm: {n_perturbers: -5}",
        "cdm.n_perturbers = -5",
        "greater than or equal to 0",
    ),
    "more mass in subhalos than there is": (
        REALISTIC % "cdm: {f_sub: 2.0}",
        "cdm.f_sub = 2.0",
        "between 0 and 1",
    ),
    "axion mass in eV": (
        POPULATION % "vortex: {log10_axion_mass: 1.0e-23}",
        "vortex.log10_axion_mass = 1e-23",
        "between -30 and -15 log10 eV",
    ),
    "source before the lens": (
        POPULATION % "z_lens: 0.8, z_source: 0.5",
        "z_source = 0.5",
        "must exceed z_lens (0.8)",
    ),
    "negative redshift": (POPULATION % "z_lens: -0.5", "z_lens = -0.5", "between 0.001 and 20"),
    "Hubble constant of little h": (
        POPULATION % "cosmology: {H0: 0.7}",
        "cosmology.H0 = 0.7",
        "between 20 and 200 km/s/Mpc",
    ),
    "uniform prior the wrong way round": (
        POPULATION % "lens: {theta_E: {dist: uniform, low: 2.0, high: 1.0}}",
        "lens.theta_E = {",
        "low (2.0) must not exceed high (1.0)",
    ),
    "prior of which next to nothing is kept": (
        POPULATION % "lens: {theta_E: {std: 1.0e+9}}",
        "lens.theta_E = {'dist': 'normal', 'mean': 1.3, 'std': 1000000000.0",
        "lies in [low, high] = [1.0, 1.6]; at least 0.0001 must",
    ),
    "baryons beyond matter": (
        POPULATION % "cosmology: {Ob0: 0.9}",
        "cosmology.Ob0 = 0.9",
        "must not exceed Om0 (0.3",
    ),
    "prior that nobody knows": (
        POPULATION % "lens: {theta_E: {dist: gauss, mean: 1.0}}",
        "lens.theta_E = {'dist': 'gauss', 'mean': 1.0}",
        "uniform, log_uniform, normal or log_normal",
    ),
    "both Einstein radius and dispersion": (
        POPULATION % "lens: {sigma_v: 220.0}",
        "lens: give exactly one of theta_E and sigma_v",
        "found both",
    ),
    "source magnitude of a flux": (
        POPULATION % "source: {magnitude: 0.01}",
        "source.magnitude = 0.01",
        "between 5 and 40 mag",
    ),
    "source outside the field": (
        POPULATION % "source: {position: {shape: disc, radius: 8.0}}",
        "source.position reaches 8 arcsec",
        "half of the field",
    ),
}

# What a camera cannot be.
CAMERAS: dict[str, tuple[str, str, str]] = {
    "no exposure": (EUCLID % "exposure_time: 0.0", "exposure_time = 0.0", "0.001 and 1e+07 s"),
    "negative exposure": (EUCLID % "exposure_time: -565.0", "exposure_time = -565.0", "0.001"),
    "no exposures": (EUCLID % "num_exposures: 0", "num_exposures = 0", "greater than or equal"),
    "sky brightness as a flux": (
        EUCLID % "sky_brightness: 0.005",
        "sky_brightness = 0.005",
        "between 10 and 35 mag / arcsec^2",
    ),
    "zero point of janskys": (
        EUCLID % "magnitude_zero_point: 8.9",
        "magnitude_zero_point = 8.9",
        "between 15 and 35 mag; 8.9 is the zero point of janskys",
    ),
    "PSF wider than the field": (
        EUCLID % "psf_fwhm: 7.0",
        "psf_fwhm reaches 7 arcsec",
        "half of the field",
    ),
    "pixels of milliarcseconds": (EUCLID % "pixel_scale: 101.0", "pixel_scale = 101.0", "arcsec"),
    "two backgrounds": (
        EUCLID % "background_rms: 0.1",
        "found background_rms = 0.1",
        "give either",
    ),
    "negative read noise": (EUCLID % "read_noise: -4.0", "read_noise = -4.0", "between 0 and"),
    "field of no pixels": (DOMAIN % "num_pix: 0", "num_pix = 0", "greater than or equal to 8"),
    "camera that is not there": (
        DOMAIN % "instrument: euclid_viz",
        "instrument = 'euclid_viz'",
        "did you mean 'euclid_vis'?",
    ),
    "key of no camera": (EUCLID % "psf_fhwm: 0.2", "psf_fhwm = 0.2", "did you mean 'psf_fwhm'?"),
    "exposure in words": (
        EUCLID % "exposure_time: '565'",
        "exposure_time = '565'",
        "write 565 without quotes",
    ),
}

# Runs that cannot be.
RUNS: dict[str, tuple[str, str, str]] = {
    "no domain": ("domains: []", "domains = []", "at least 1 item"),
    "domain misspelt": ("domains: [euclid, hst, hts]", "domains = 'hts'", "did you mean 'hst'?"),
    "class misspelt": ("substructures: [no_sub, cdn]", "substructures[1] = 'cdn'", "'cdm'"),
    "task misspelt": ("tasks: [anomalies]", "tasks[0] = 'anomalies'", "'anomaly'"),
    "method misspelt": (
        "adaptation: {methods: [source_only, addda]}",
        "adaptation.methods[1] = 'addda'",
        "'adda'",
    ),
    "encoder misspelt": (
        "classifier: {encoders: [vit_conv_steam]}",
        "classifier.encoders = 'vit_conv_steam'",
        "did you mean 'vit_conv_stem'?",
    ),
    "no seed": ("classifier: {seeds: []}", "classifier.seeds = []", "at least 1 item"),
    "seed twice": ("anomaly: {seeds: [1, 1]}", "anomaly.seeds = [1, 1]", "may appear once"),
    "negative seed": ("classifier: {seeds: [-1]}", "classifier.seeds[0] = -1", "equal to 0"),
    "negative epochs": ("classifier: {epochs: -3}", "classifier.epochs = -3", "equal to 1"),
    "batch of one": ("classifier: {batch_size: 1}", "classifier.batch_size = 1", "equal to 2"),
    "batch larger than the data": (
        "classifier: {batch_size: 30000}",
        "classifier.batch_size = 30000",
        "at most the 18000 training images",
    ),
    "batch of the autoencoder larger than the data": (
        "anomaly: {mae: {batch_size: 6001}}",
        "anomaly.mae.batch_size = 6001",
        "at most the 6000 training images",
    ),
    "warm-up for more than all steps": (
        "classifier: {warmup_fraction: 1.5}",
        "classifier.warmup_fraction = 1.5",
        "less than 1",
    ),
    "mask of everything": (
        "anomaly: {mae: {mask_ratio: 1.0}}",
        "anomaly.mae.mask_ratio = 1.0",
        "less than 1",
    ),
    "rate that rises": (
        "classifier: {min_learning_rate: 1.0}",
        "min_learning_rate = 1.0",
        "must not exceed learning_rate (0.00355)",
    ),
    "memory beyond all": (
        "compute: {max_memory_fraction: 1.2}",
        "compute.max_memory_fraction = 1.2",
        "less than or equal to 1",
    ),
    "rate that is no number": (
        "classifier: {learning_rate: .nan}",
        "classifier.learning_rate = nan",
        "finite number",
    ),
    "more components than pixels": (
        "anomaly: {pca: {n_components: 5000}}",
        "anomaly.pca.n_components = 5000",
        "at most the 4096 pixels of 'euclid'",
    ),
    "more components than images": (
        "anomaly: {pca: {n_components: 100, n_images: 50}}",
        "anomaly.pca.n_components = 100",
        "n_images (50)",
    ),
    "unknown reference of the zoo": (
        "zoo: {reference: vti}",
        "zoo.reference = 'vti'",
        "did you mean 'vit'?",
    ),
    "study on no domain": (
        "scaling: {domain: hts}",
        "scaling.domain = 'hts'",
        "did you mean 'hst'?",
    ),
    "ablation of a key that is not there": (
        "ablation: {variants: {mine: {classifier: {epoch: 3}}}}",
        "ablation.variants.mine.classifier.epoch = 3",
        "did you mean 'epochs'?",
    ),
    "search of a key that is not there": (
        "search: {space: {classifier.epsilon: {low: 1.0e-9, high: 1.0e-6}}}",
        "search.space.classifier.epsilon: the recipe of 'vit_conv_stem' has no such key",
        "known are augment, batch_size",
    ),
    "share of the labels beyond all": (
        "pretraining: {fractions: [2.0]}",
        "pretraining.fractions[0] = 2.0",
        "less than or equal to 1",
    ),
    "sweep beyond its bounds": (
        "sweep: {vary: {mask_ratio: [0.5, 1.5]}}",
        "sweep.vary.mask_ratio = 1.5",
        "less than 1",
    ),
    "observed by a network that is not trained": (
        "observed: {domain: hst}",
        "observed.domain = 'hst'",
        "known are euclid",
    ),
    "magnitudes of no source": (
        "limit: {magnitudes: [220.0]}",
        "limit.magnitudes[0] = 220.0",
        "between 5 and 40 mag",
    ),
    "colours that matplotlib does not know": (
        "figures: {color_map: virdis}",
        "figures.color_map = 'virdis'",
        "did you mean 'viridis'?",
    ),
}

# The fit and what enters a network.
INPUTS: dict[str, tuple[str, str, str]] = {
    "unknown channel": (
        "network_input: {channels: [image, residuals]}",
        "network_input.channels[1] = 'residuals'",
        "'image', 'residual' or 'kappa'",
    ),
    "channel twice": (
        "network_input: {channels: [image, image]}",
        "network_input.channels = ['image', 'image']",
        "may appear once",
    ),
    "no channel": ("network_input: {channels: []}", "network_input.channels = []", "at least 1"),
    "convergence without a potential": (
        "network_input: {channels: [image, kappa]}\nfit: {potential: null}",
        "network_input.channels = ['image', 'kappa']",
        "kappa needs fit.potential, which is null",
    ),
    "scale of zero": ("network_input: {kappa_units: 0.0}", "kappa_units = 0.0", "greater than 0"),
    "crop larger than the image": (
        "network_input: {center_crop: 66}",
        "network_input.center_crop = 66",
        "equal margins in the 64 pixels",
    ),
    "no starts": ("fit: {n_starts: 0}", "fit.n_starts = 0", "greater than or equal to 1"),
    "more starts than references": (
        "fit: {n_reference: 10, n_starts: 20}",
        "fit.n_starts = 20",
        "n_reference (10)",
    ),
    "no waves": ("fit: {potential: {n_modes: 0}}", "fit.potential.n_modes = 0", "equal to 1"),
    "negative amplitude": (
        "fit: {potential: {amplitude: -1.0e-6}}",
        "fit.potential.amplitude = -1e-06",
        "greater than 0",
    ),
    "multipoles of no kind": (
        "fit: {multipoles: some}",
        "fit.multipoles = 'some'",
        "'none', 'projected' or 'fitted'",
    ),
}

# Encoders that cannot be built, or cannot take the images.
ENCODERS: dict[str, tuple[str, str, str]] = {
    "model that timm does not have": (
        "encoders: {mine: {kind: timm, model_name: resnet19}}",
        "encoders.mine.model_name = 'resnet19'",
        "did you mean resnet1",
    ),
    "argument that a model does not take": (
        "encoders: {mine: {kind: timm, model_name: resnet18, model_kwargs: {depht: 3}}}",
        "encoders.mine.model_kwargs = {'depht': 3}",
        "unexpected keyword argument 'depht'",
    ),
    "images that a model does not take": (
        "encoders: {mine: {kind: timm, model_name: vit_tiny_patch16_224, "
        "model_kwargs: {img_size: 224}}}",
        "encoders.mine.model_kwargs = {'img_size': 224}",
        "does not take images of 64 x 64 pixels",
    ),
    "patches that do not divide the image": (
        "encoders: {vit: {patch_size: 7}}\nclassifier: {encoders: [vit_conv_stem, vit]}",
        "encoders.vit.patch_size = 7",
        "must divide the 64 pixels of 'euclid'",
    ),
    "stem that leaves nothing": (
        "encoders: {vit_conv_stem: {stem_widths: [4, 4, 4, 4, 4, 4, 4]}}",
        "encoders.vit_conv_stem.stem_widths = [4, 4, 4, 4, 4, 4, 4]",
        "can be halved 6 times at most",
    ),
    "convolutions that leave nothing": (
        "encoders: {cnn: {widths: [4, 4, 4, 4, 4, 4, 4]}}\n"
        "classifier: {encoders: [vit_conv_stem, cnn]}",
        "encoders.cnn.widths = [4, 4, 4, 4, 4, 4, 4]",
        "can be halved 6 times at most",
    ),
    "a hidden square as large as the image": (
        "adaptation: {methods: [masked_reconstruction], masked_reconstruction: {patch_size: 64}}",
        "adaptation.masked_reconstruction.patch_size = 64",
        "must be below the 64 pixels of 'hst'",
    ),
}
WRONG = UNPHYSICAL | CAMERAS | RUNS | INPUTS | ENCODERS


@pytest.mark.parametrize("name", list(WRONG))
def test_what_is_wrong_is_named_with_file_key_value_and_what_is_allowed(load, tmp_path, name):
    text, key, allowed = WRONG[name]
    with pytest.raises(ConfigError) as caught:
        load(text)
    for line in caught.value.lines:  # one for every domain that it is wrong in
        assert line.startswith(f"{tmp_path / 'overlay.yaml'}: ")
        assert key in line
        assert allowed in line
        assert "\n" not in line


def test_there_are_sixty_of_them_and_each_says_what_it_found():
    assert len(WRONG) >= 60
    for key in (key for _, key, _ in WRONG.values()):
        assert re.search(r" = |reaches|found|exactly one|has no such key", key), key
