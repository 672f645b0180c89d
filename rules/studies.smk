# Studies beside the shipped classifier: encoders at equal compute, parts of the recipe, number of
# images. No other target asks for them.


rule measure_encoder:
    """Parameters and operations of an encoder."""
    output:
        size=at.encoder_size,
    log:
        "<logs>/measure_encoder/{encoder}_{img_size}.log",
    priority: 200
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(4000, 30),
    params:
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        img_size=lambda w: int(w.img_size),
    script:
        "../workflow_scripts/measure_encoder.py"


rule train_variant:
    """A classifier of a study: another encoder, another part of the recipe, fewer images."""
    input:
        train=lambda w: studies.seen_by(w, studies.train_domain(w), "train"),
        validation=lambda w: studies.seen_by(w, studies.domain(w.study), "val"),
        sizes=studies.sizes,
        mae=studies.mae,
    output:
        **run_files(at.study_run),
        validation_predictions=f"{at.study_run}/validation.csv",
    log:
        "<logs>/train_variant/{study}/{variant}/seed{seed}.log",
    wildcard_constraints:
        study="zoo|ablation|scaling",
    priority: 50
    conda:
        "../envs/torch.yaml"
    threads: TRAINING_THREADS
    resources:
        **needs(8000, 720),
        gpu=TRAINING_GPUS,
    params:
        train=lambda w: data.stores(studies.train_domain(w), "train"),
        validation=lambda w: data.stores(studies.domain(w.study), "val"),
        classes=CLASSES,
        recipe=studies.recipe,
        n_train=studies.n_train,
        n_validation=None,
        steps=studies.steps,
        redraw_noise=lambda w: studies.variant(w).redraw_noise,
        symmetry=lambda w: data.symmetry(studies.domain(w.study)),
        setting=lambda w: {
            **setting(w, f"{w.study} {w.variant} seed {w.seed}"),
            "network_input": studies.recipe(w)["network_input"],
        },
    script:
        "../workflow_scripts/train_variant.py"


rule predict_variant:
    """Probabilities of a study's classifier of test images."""
    input:
        test=lambda w: studies.seen_by(w, studies.domain(w.study), "test"),
        weights=f"{at.study_run}/weights.safetensors",
    output:
        predictions=f"{at.study_run}/predictions.csv",
    log:
        "<logs>/predict_variant/{study}/{variant}/seed{seed}.log",
    wildcard_constraints:
        study="zoo|ablation|scaling",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(4000, 60),
        gpu=GPU,
    params:
        images=lambda w: data.stores(studies.domain(w.study), "test"),
        classes=CLASSES,
        encoder=lambda w: studies.recipe(w)["encoder"],
        symmetry=lambda w: data.test_symmetry(studies.domain(w.study)),
        setting=lambda w: {
            **setting(w, f"{w.study} {w.variant} seed {w.seed}"),
            "network_input": studies.recipe(w)["network_input"],
        },
    script:
        "../workflow_scripts/predict.py"


use rule tabulate as tabulate_study with:
    """A study's classifiers: a table, and curves."""
    input:
        predictions=lambda w: [row["path"] for row in studies.rows(w.study)],
        records=lambda w: [row["run"] for row in studies.rows(w.study) if row["run"]],
        audits=lambda w: data.audits([{"domain": studies.domain(w.study)}], "domain"),
    output:
        outputs=tabled("{study}"),
        curves=at.table_csv("{study}_curves"),
    log:
        "<logs>/tabulate_study/{study}.log",
    params:
        code=code("evaluation.classification.studies"),
        made_by="evaluation.classification.studies:tabulate_study",
        kind=lambda w: w.study,
        runs=lambda w: studies.rows(w.study),
        compare_with=lambda w: studies.reference(w.study),
        evaluation=dump(CFG.evaluation),
        seed=SEED,


use rule plot as plot_study with:
    """A study's classifiers."""
    input:
        table=at.table_csv("{study}"),
        curves=at.table_csv("{study}_curves"),
    output:
        output=pictured("studies/{study}"),
    log:
        "<logs>/plot_study/{study}.log",
    params:
        code=code("figures.studies"),
        made_by="figures.studies:plot_study",
        kind=lambda w: w.study,
        title=lambda w: studies.title(w.study),
        figures=FIGURE_STYLE,


rule zoo:
    """Encoders at equal compute: table and figure."""
    input:
        of_study("zoo", studies.results("zoo")),


rule ablation:
    """Parts of the recipe, one at a time: table and figure."""
    input:
        of_study("ablation", studies.results("ablation")),


rule scaling:
    """AUC against the number of training images: table and figure."""
    input:
        of_study("scaling", studies.results("scaling")),
