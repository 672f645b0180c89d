# Settings of adaptation at random, judged on labelled validation images of targets that are not
# reported. Every trial adapts the source classifiers that the study trains anyway.


use rule adapt_adda as develop_adda with:
    """A trial of ADDA with other settings."""
    input:
        source=lambda w: data.seen(w.source, "train"),
        target=lambda w: data.seen_of(w.target, "unlabelled", "train"),
        weights=development.adda_start,
    output:
        **run_files(at.development_run.replace("{method}", "adda")),
    log:
        "<logs>/develop_adda/{source}/{target}/trial{trial}/seed{seed}.log",
    priority: 50
    params:
        source=lambda w: data.stores(w.source, "train"),
        target=lambda w: data.pool(w.target),
        encoder=lambda w: dump(CFG.encoders[CFG.development.encoder]),
        adda=lambda w: development.section("adda", w.trial, "adda"),
        adabn=dump(CFG.adaptation.adabn),
        num_classes=len(CLASSES),
        symmetries=lambda w: [data.symmetry(w.source), data.symmetry(w.target)],
        setting=lambda w: setting(
            w, f"ADDA {w.source} to {w.target} trial {w.trial} seed {w.seed}"
        ),


use rule adapt_jointly as develop_jointly with:
    """A trial of a joint method with other settings."""
    input:
        source=lambda w: data.seen(w.source, "train"),
        target=lambda w: data.seen_of(w.target, "unlabelled", "train"),
        weights=development.source_weights,
    output:
        **run_files(at.development_run),
    log:
        "<logs>/develop_jointly/{source}/{target}/{method}/trial{trial}/seed{seed}.log",
    priority: 50
    params:
        source=lambda w: data.stores(w.source, "train"),
        target=lambda w: data.pool(w.target),
        own=lambda w: development.section(w.method, w.trial, w.method),
        encoder=lambda w: dump(CFG.encoders[CFG.development.encoder]),
        joint=dump(CFG.adaptation.joint),
        distortion=dump(CFG.adaptation.distortion),
        adda=dump(CFG.adaptation.adda),
        adabn=dump(CFG.adaptation.adabn),
        num_classes=len(CLASSES),
        symmetries=lambda w: [data.symmetry(w.source), data.symmetry(w.target)],
        setting=lambda w: setting(
            w, f"{w.method} {w.source} to {w.target} trial {w.trial} seed {w.seed}"
        ),


use rule predict_adapted as predict_development with:
    """A trial's probabilities of labelled validation images of a target that is not reported."""
    input:
        validation=lambda w: data.seen(w.target, "val"),
        weights=f"{at.development_run}/weights.safetensors",
    output:
        predictions=f"{at.development_run}/validation.csv",
    log:
        "<logs>/predict_development/{source}/{target}/{method}/trial{trial}/seed{seed}.log",
    priority: 40
    params:
        images=lambda w: data.stores(w.target, "val"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[CFG.development.encoder]),
        symmetry=lambda w: data.test_symmetry(w.target),
        setting=lambda w: setting(w, "predict"),


use rule tabulate as tabulate_development with:
    """Trials of adaptation's settings: a table, and the best as an overlay."""
    input:
        predictions=lambda w: [row["path"] for row in development.rows()],
    output:
        outputs=tabled("development"),
        best="<results>/development/best.yaml",
    log:
        "<logs>/tabulate_development.log",
    params:
        code=code("evaluation.adaptation.development"),
        made_by="evaluation.adaptation.development:tabulate_development",
        runs=refusing(development.rows),
        evaluation=dump(CFG.evaluation),
        seed=SEED,


rule development:
    """Trials of adaptation's settings: table, and the best as an overlay (development.pairs)."""
    input:
        refusing(development.results),
