# Domain adaptation. The target's training images enter as a pool without labels; only the oracle,
# which is an upper reference, is given labelled target stores.


rule adapt_adda:
    input:
        source=lambda w: manifests(w.source, "train"),
        target=lambda w: manifest(w.target, "unlabelled", "train"),
        weights=adda_start,
    output:
        **run_files("results/adaptation/{source}/{target}/{encoder}/adda/seed{seed}"),
        snapshots="results/adaptation/{source}/{target}/{encoder}/adda/seed{seed}/snapshots.safetensors",
    log:
        "logs/adapt_adda/{source}/{target}/{encoder}/seed{seed}.log",
    priority: 90
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 12000 * attempt,
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        source=lambda w: stores(w.source, "train"),
        target=lambda w: store(w.target, "unlabelled", "train"),
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        adda=dump(CFG.adaptation.adda),
        adabn=dump(CFG.adaptation.adabn),
        num_classes=len(CLASSES),
        symmetries=lambda w: [symmetry(w.source), symmetry(w.target)],
        setting=lambda w: setting(w, f"ADDA {w.source} to {w.target} seed {w.seed}"),
    script:
        "../workflow_scripts/adapt_adda.py"


rule adapt_adabn:
    input:
        target=lambda w: manifest(w.target, "unlabelled", "train"),
        weights=source_weights,
    output:
        **run_files("results/adaptation/{source}/{target}/{encoder}/adabn/seed{seed}"),
    log:
        "logs/adapt_adabn/{source}/{target}/{encoder}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        target=lambda w: store(w.target, "unlabelled", "train"),
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        adabn=dump(CFG.adaptation.adabn),
        num_classes=len(CLASSES),
        setting=lambda w: setting(w, f"AdaBN {w.source} to {w.target} seed {w.seed}"),
    script:
        "../workflow_scripts/adapt_adabn.py"


rule adapt_jointly:
    input:
        source=lambda w: manifests(w.source, "train"),
        target=lambda w: manifest(w.target, "unlabelled", "train"),
        weights=source_weights,
    output:
        **run_files("results/adaptation/{source}/{target}/{encoder}/{method}/seed{seed}"),
    log:
        "logs/adapt_jointly/{source}/{target}/{encoder}/{method}/seed{seed}.log",
    wildcard_constraints:
        method="|".join(JOINT_METHODS),
    priority: 90
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 12000 * attempt,
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        source=lambda w: stores(w.source, "train"),
        target=lambda w: store(w.target, "unlabelled", "train"),
        own=joint_settings,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        joint=dump(CFG.adaptation.joint),
        distortion=dump(CFG.adaptation.distortion),
        adda=dump(CFG.adaptation.adda),
        adabn=dump(CFG.adaptation.adabn),
        num_classes=len(CLASSES),
        symmetries=lambda w: [symmetry(w.source), symmetry(w.target)],
        setting=lambda w: setting(w, f"{w.method} {w.source} to {w.target} seed {w.seed}"),
    script:
        "../workflow_scripts/adapt_jointly.py"


rule train_oracle:
    input:
        train=lambda w: manifests(w.target, "train"),
        validation=lambda w: manifests(w.target, "val"),
        weights=source_weights,
    output:
        **run_files("results/adaptation/{source}/{target}/{encoder}/oracle/seed{seed}"),
    log:
        "logs/train_oracle/{source}/{target}/{encoder}/seed{seed}.log",
    priority: 90
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 720 * attempt,
    params:
        train=lambda w: stores(w.target, "train"),
        validation=lambda w: stores(w.target, "val"),
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        classifier=classifier_params,
        oracle=dump(CFG.adaptation.oracle),
        symmetry=lambda w: symmetry(w.target),
        setting=lambda w: setting(w, f"oracle {w.target} seed {w.seed}"),
    script:
        "../workflow_scripts/train_oracle.py"


# The published protocol, to stand beside the rest: the step is chosen on labelled test images.
rule select_on_test:
    input:
        test=lambda w: manifests(w.target, "test"),
        snapshots="results/adaptation/{source}/{target}/{encoder}/adda/seed{seed}/snapshots.safetensors",
    output:
        weights="results/adaptation/{source}/{target}/{encoder}/adda_test_selected/seed{seed}/weights.safetensors",
        selection="results/adaptation/{source}/{target}/{encoder}/adda_test_selected/seed{seed}/selection.csv",
    log:
        "logs/select_on_test/{source}/{target}/{encoder}/seed{seed}.log",
    priority: 80
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        test=lambda w: stores(w.target, "test"),
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        setting=lambda w: setting(w, "select"),
    script:
        "../workflow_scripts/select_on_test.py"


rule predict_adapted:
    input:
        test=lambda w: manifests(w.target, "test"),
        weights=adapted_weights,
    output:
        predictions=f"{ADAPTED_RUN}/predictions.csv",
    log:
        "logs/predict_adapted/{source}/{target}/{encoder}/{method}/seed{seed}.log",
    wildcard_constraints:
        method="|".join(METHODS),
    priority: 80
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        test=lambda w: stores(w.target, "test"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        symmetry=lambda w: test_symmetry(w.target),
        setting=lambda w: setting(w, "predict"),
    script:
        "../workflow_scripts/predict.py"
