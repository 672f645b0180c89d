# Domain adaptation. The target's training images enter as a pool without labels; only the oracle,
# which is an upper reference, is given labelled target stores.


rule adapt_adda:
    """The target's encoder by ADDA, from a source classifier and a pool without labels."""
    input:
        source=adaptation.seen_to_train,
        target=adaptation.seen_pool,
        weights=adaptation.adda_start,
    output:
        **run_files(adaptation.of("adda")),
        snapshots=f"{adaptation.of('adda')}/snapshots.safetensors",
    log:
        "<logs>/adapt_adda/{source}/{target}/{encoder}/seed{seed}.log",
    priority: 90
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(12000, 720),
        gpu=GPU,
    params:
        source=adaptation.train_stores,
        target=adaptation.target_pool,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        adda=dump(CFG.adaptation.adda),
        adabn=dump(CFG.adaptation.adabn),
        num_classes=len(CLASSES),
        symmetries=lambda w: [data.symmetry(w.source), data.symmetry(w.target)],
        setting=lambda w: setting(w, f"ADDA {w.source} to {w.target} seed {w.seed}"),
    script:
        "../workflow_scripts/adapt_adda.py"


rule adapt_adabn:
    """The source classifier with batch-norm statistics of the target's pool (AdaBN)."""
    input:
        target=adaptation.seen_pool,
        weights=adaptation.start,
    output:
        **run_files(adaptation.of("adabn")),
    log:
        "<logs>/adapt_adabn/{source}/{target}/{encoder}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(8000, 60),
        gpu=GPU,
    params:
        target=adaptation.target_pool,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        adabn=dump(CFG.adaptation.adabn),
        num_classes=len(CLASSES),
        setting=lambda w: setting(w, f"AdaBN {w.source} to {w.target} seed {w.seed}"),
    script:
        "../workflow_scripts/adapt_adabn.py"


rule adapt_jointly:
    """A classifier by a joint method: source labels and the target's pool in one loss."""
    input:
        source=adaptation.seen_to_train,
        target=adaptation.seen_pool,
        weights=adaptation.start,
    output:
        **run_files(at.adapted_run),
    log:
        "<logs>/adapt_jointly/{source}/{target}/{encoder}/{method}/seed{seed}.log",
    wildcard_constraints:
        method="|".join(JOINT_METHODS),
    priority: 90
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(12000, 720),
        gpu=GPU,
    params:
        source=adaptation.train_stores,
        target=adaptation.target_pool,
        own=adaptation.settings,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        joint=dump(CFG.adaptation.joint),
        distortion=dump(CFG.adaptation.distortion),
        adda=dump(CFG.adaptation.adda),
        adabn=dump(CFG.adaptation.adabn),
        num_classes=len(CLASSES),
        symmetries=lambda w: [data.symmetry(w.source), data.symmetry(w.target)],
        setting=lambda w: setting(w, f"{w.method} {w.source} to {w.target} seed {w.seed}"),
    script:
        "../workflow_scripts/adapt_jointly.py"


rule train_oracle:
    """The upper reference: a classifier that goes on with the target's labels."""
    input:
        train=lambda w: data.seen(w.target, "train"),
        validation=lambda w: data.seen(w.target, "val"),
        weights=adaptation.source_weights,
    output:
        **run_files(adaptation.of("oracle")),
    log:
        "<logs>/train_oracle/{source}/{target}/{encoder}/seed{seed}.log",
    priority: 90
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(8000, 720),
        gpu=GPU,
    params:
        train=lambda w: data.stores(w.target, "train"),
        validation=lambda w: data.stores(w.target, "val"),
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        classifier=dump(CFG.classifier.recipe),
        oracle=dump(CFG.adaptation.oracle),
        symmetry=lambda w: data.symmetry(w.target),
        setting=lambda w: setting(w, f"oracle {w.target} seed {w.seed}"),
    script:
        "../workflow_scripts/train_oracle.py"


# The published protocol, to stand beside the rest: the step is chosen on labelled test images.
rule select_on_test:
    """The snapshot of an ADDA run that is best on labelled test images: the published protocol."""
    input:
        test=adaptation.seen_to_test,
        snapshots=f"{adaptation.of('adda')}/snapshots.safetensors",
    output:
        weights=f"{adaptation.of('adda_test_selected')}/weights.safetensors",
        selection=f"{adaptation.of('adda_test_selected')}/selection.csv",
    log:
        "<logs>/select_on_test/{source}/{target}/{encoder}/seed{seed}.log",
    priority: 80
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(4000, 120),
        gpu=GPU,
    params:
        test=adaptation.test_stores,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        setting=lambda w: setting(w, "select"),
    script:
        "../workflow_scripts/select_on_test.py"


rule predict_adapted:
    """An adapted classifier's probabilities of the target's test images."""
    input:
        test=adaptation.seen_to_test,
        weights=adaptation.predicting_weights,
    output:
        predictions=f"{at.adapted_run}/predictions.csv",
    log:
        "<logs>/predict_adapted/{source}/{target}/{encoder}/{method}/seed{seed}.log",
    wildcard_constraints:
        method="|".join(get_args(Method)),
    priority: 80
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(4000, 60),
        gpu=GPU,
    params:
        images=adaptation.test_stores,
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        symmetry=lambda w: data.test_symmetry(w.target),
        setting=lambda w: setting(w, "predict"),
    script:
        "../workflow_scripts/predict.py"


rule embed_domains:
    """Embeddings of both domains before and after ADDA, as a map in two dimensions."""
    input:
        source=lambda w: adaptation.seen_labelled(w, "source", "test"),
        target=adaptation.seen_to_test,
        source_weights=adaptation.start,
        target_weights=f"{adaptation.of('adda')}/weights.safetensors",
    output:
        table=f"{adaptation.of('adda')}/embedding.csv",
    log:
        "<logs>/embed_domains/{source}/{target}/{encoder}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(4000, 60),
        gpu=GPU,
    params:
        stores=lambda w: {
            "source": adaptation.labelled(w, "source", "test"),
            "target": adaptation.test_stores(w),
        },
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        n_embedded=CFG.evaluation.n_embedded,
        setting=lambda w: setting(w, "embed"),
    script:
        "../workflow_scripts/embed_domains.py"


rule measure_criteria:
    """Criteria of an adapted run that need no label of the target."""
    input:
        source=lambda w: adaptation.seen_labelled(w, "source", "val"),
        target=adaptation.seen_pool,
        weights=adaptation.predicting_weights,
    output:
        criteria=f"{at.adapted_run}/criteria.json",
    log:
        "<logs>/measure_criteria/{source}/{target}/{encoder}/{method}/seed{seed}.log",
    wildcard_constraints:
        method="|".join(get_args(Method)),
    priority: 80
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(8000, 60),
        gpu=GPU,
    params:
        source=lambda w: adaptation.labelled(w, "source", "val"),
        target=adaptation.target_pool,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        setting=lambda w: setting(w, "criteria"),
    script:
        "../workflow_scripts/measure_criteria.py"


use rule tabulate as tabulate_adaptation with:
    """Every method from source to target: a table."""
    input:
        predictions=[row["path"] for row in adaptation.rows()],
        criteria=adaptation.criteria(adaptation.rows()),
        audits=data.audits(adaptation.rows(), "source_domain", "target_domain"),
    output:
        outputs=tabled("adaptation"),
    log:
        "<logs>/tabulate_adaptation.log",
    params:
        code=code("evaluation.adaptation.table"),
        made_by="evaluation.adaptation.table:tabulate_adaptation",
        runs=adaptation.rows(),
        max_im_loss=CFG.adaptation.max_im_loss,
        evaluation=dump(CFG.evaluation),
        seed=SEED,


use rule plot as plot_roc_adaptation with:
    """ROC curves of every method of a pair of domains."""
    input:
        files=lambda w: flat(adaptation.predictions(w)),
    output:
        output=pictured("adaptation/roc_{source}_{target}_{encoder}"),
    log:
        "<logs>/plot_roc_adaptation/{source}_{target}_{encoder}.log",
    params:
        code=code("figures.roc"),
        made_by="figures.roc:plot_roc_adaptation",
        predictions=adaptation.predictions,
        title=lambda w: f"Adaptation from {adaptation.label(w)}",
        figures=FIGURE_STYLE,


use rule plot as plot_confusion_adaptation with:
    """Confusion matrices of every method of a pair of domains."""
    input:
        files=lambda w: flat(adaptation.predictions(w)),
    output:
        output=pictured("adaptation/confusion_{source}_{target}_{encoder}"),
    log:
        "<logs>/plot_confusion_adaptation/{source}_{target}_{encoder}.log",
    params:
        code=code("figures.confusion"),
        made_by="figures.confusion:plot_confusion",
        predictions=adaptation.predictions,
        title=lambda w: f"Adaptation from {adaptation.label(w)}",
        figures=FIGURE_STYLE,


use rule plot as plot_adaptation_summary with:
    """AUC of every method of a pair of domains with intervals."""
    input:
        table=at.table_csv("adaptation"),
    output:
        output=pictured("adaptation/summary_{source}_{target}_{encoder}"),
    log:
        "<logs>/plot_adaptation_summary/{source}_{target}_{encoder}.log",
    params:
        code=code("figures.summary"),
        made_by="figures.summary:plot_adaptation_summary",
        source_domain=lambda w: w.source,
        target_domain=lambda w: w.target,
        title=lambda w: f"Adaptation from {adaptation.label(w)}",
        figures=FIGURE_STYLE,


use rule plot as plot_pairs with:
    input:
        tables=[at.table_csv("adaptation")],
    output:
        output=pictured("adaptation/pairs"),
    log:
        "<logs>/plot_pairs.log",
    params:
        code=code("figures.pairs"),
        made_by="figures.pairs:plot_pairs",
        labels={name: CFG.labels[name] for pair in adaptation.pairs for name in pair},
        title="Adaptation without labels, on the target's test images",
        figures=FIGURE_STYLE,


use rule plot as plot_history_adda with:
    """Losses of the ADDA runs of a pair of domains."""
    input:
        histories=adaptation.adda_histories,
    output:
        output=pictured("adaptation/history_{source}_{target}_{encoder}"),
    log:
        "<logs>/plot_history_adda/{source}_{target}_{encoder}.log",
    params:
        code=code("figures.history"),
        made_by="figures.history:plot_history_adda",
        title=lambda w: f"ADDA from {adaptation.label(w)}",
        figures=FIGURE_STYLE,


use rule plot as plot_embedding with:
    """Embeddings of both domains before and after ADDA."""
    input:
        table=adaptation.embedding,
    output:
        output=pictured("adaptation/embedding_{source}_{target}_{encoder}"),
    log:
        "<logs>/plot_embedding/{source}_{target}_{encoder}.log",
    params:
        code=code("figures.embedding"),
        made_by="figures.embedding:plot_embedding",
        title=lambda w: f"Embedding, {adaptation.label(w)}",
        labels=adaptation.labels,
        figures=FIGURE_STYLE,


use rule tabulate as tabulate_criteria with:
    """How well criteria without labels order adapted runs: a table."""
    input:
        predictions=[row["path"] for row in adaptation.judged()],
        criteria=[row["criterion_file"] for row in adaptation.judged()],
    output:
        outputs=tabled("criteria"),
    log:
        "<logs>/tabulate_criteria.log",
    params:
        code=code("evaluation.adaptation.selection"),
        made_by="evaluation.adaptation.selection:tabulate_criteria",
        runs=adaptation.judged(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,


use rule plot as plot_criteria with:
    """Criteria without labels beside the accuracy of adapted runs."""
    input:
        table=at.table_csv("criteria"),
    output:
        output=pictured("adaptation/criteria"),
    log:
        "<logs>/plot_criteria.log",
    params:
        code=code("figures.criteria"),
        made_by="figures.criteria:plot_criteria",
        labels={name: CFG.labels[name] for pair in adaptation.pairs for name in pair},
        title="Criteria without labels of the target",
        figures=FIGURE_STYLE,


# Jobs that were given labels of a target: of a run's pairs, of the criteria, of development.
use rule tabulate as tabulate_label_reads with:
    input:
        made=lambda w: list(dict.fromkeys(row["file"] for row in label_reads.rows(w.task))),
    output:
        outputs=tabled("label_reads_{task}"),
        run="<results>/tables/label_reads_{task}_run.json",
    log:
        "<logs>/tabulate_label_reads/{task}.log",
    params:
        code=code("evaluation.adaptation.label_reads"),
        made_by="evaluation.adaptation.label_reads:tabulate_label_reads",
        reads=lambda w: label_reads.rows(w.task),


rule criteria:
    """How well criteria without labels order adapted runs by their accuracy: table and figure."""
    input:
        refusing(adaptation.criteria_results),
