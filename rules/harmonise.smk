# Images of a pair of domains in one camera: ordinary stores of the pair. What is known of the target, or fitted
# to it, comes from the configuration or from its pool without labels.


rule fit_target_camera:
    """A target's camera, fitted to its pool without labels."""
    input:
        images=harmony.inputs,
    output:
        fit=at.camera_fit,
    log:
        "<logs>/fit_target_camera/{source}/{target}.log",
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        **needs(6000, 60),
    params:
        source=lambda w: dump(CFG.domain(w.source)),
        source_stores=lambda w: data.stores(w.source, "train"),
        target_pool=lambda w: data.pool(w.target),
        seed=SEED,
    script:
        "../workflow_scripts/fit_target_camera.py"


rule find_harmony:
    """The camera that both domains of a pair can be brought to."""
    input:
        images=harmony.inputs,
        fit=harmony.needed_fit,
    output:
        harmony=harmony.agreed,
    log:
        "<logs>/find_harmony/{source}/{target}.log",
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        **needs(6000, 60),
    params:
        cameras=harmony.cameras,
        source_stores=lambda w: data.stores(w.source, "train"),
        target_pool=lambda w: data.pool(w.target),
    script:
        "../workflow_scripts/find_harmony.py"


rule harmonise_images:
    """A dataset as the common camera of its pair would have taken it."""
    input:
        images=harmony.plain_files,
        harmony=harmony.agreed,
    output:
        **data.sealed(harmony.stores_of_pairs),
    log:
        "<logs>/harmonise_images/{source}/{target}/{side}/{substructure}/{split}.log",
    wildcard_constraints:
        side="source|target",
        substructure="|".join([*CLASSES, "unlabelled"]),
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        **needs(4000, 60),
    params:
        images=harmony.plain_store,
        store=lambda w: harmony.stored(w, w.side, w.substructure, w.split),
        seed=SEED,
    script:
        "../workflow_scripts/harmonise_images.py"


use rule predict_radial_profile as predict_radial_profile_harmonised with:
    """Rings and moments of images in the common camera: probabilities of the target."""
    input:
        train=lambda w: harmony.waited_for(w, "source", "train"),
        test=lambda w: harmony.waited_for(w, "target", "test"),
    output:
        predictions=at.harmonised_baseline,
    log:
        "<logs>/predict_radial_profile_harmonised/{source}/{target}.log",
    params:
        train=lambda w: harmony.labelled(w, "source", "train"),
        test=lambda w: harmony.labelled(w, "target", "test"),
        classes=CLASSES,
        setting=lambda w: setting(w, "radial profile", IMAGE),


# Where every method of a harmonised pair begins.
rule adapt_harmonised:
    """The classifier of a harmonised pair, at which every method begins."""
    input:
        source=adaptation.seen_to_train,
        target=adaptation.seen_pool,
        harmony=harmony.agreed,
        weights=adaptation.source_weights,
    output:
        **run_files(adaptation.of("source_harmonised")),
    log:
        "<logs>/adapt_harmonised/{source}/{target}/{encoder}/seed{seed}.log",
    priority: 95
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(12000, 720),
        gpu=GPU,
    params:
        source=adaptation.train_stores,
        target=adaptation.target_pool,
        own=dump(CFG.adaptation.source_harmonised),
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        joint=dump(CFG.adaptation.joint),
        distortion=dump(CFG.adaptation.distortion),
        adda=dump(CFG.adaptation.adda),
        adabn=dump(CFG.adaptation.adabn),
        num_classes=len(CLASSES),
        symmetries=lambda w: [data.symmetry(w.source), data.symmetry(w.target)],
        setting=lambda w: setting(w, f"source of {w.source} as {w.target} allows, seed {w.seed}"),
    script:
        "../workflow_scripts/adapt_harmonised.py"


use rule tabulate as tabulate_cameras with:
    """Cameras as a blind fit finds them, beside the true ones: a table."""
    input:
        fits=[row["fit"] for row in harmony.camera_fits()],
    output:
        outputs=tabled("cameras"),
    log:
        "<logs>/tabulate_cameras.log",
    params:
        code=code("evaluation.adaptation.cameras"),
        made_by="evaluation.adaptation.cameras:tabulate_cameras",
        runs=harmony.camera_fits(),


rule cameras:
    """Cameras of the targets of every pair as a blind fit finds them, beside the true ones: a table."""
    input:
        refusing(harmony.cameras_table),
