# Domain adaptation. The target's training images enter as a pool without labels; only the oracle,
# which is an upper reference, is given labelled target stores.
ADAPTED_RUN = "results/adaptation/{source}/{target}/{encoder}/{method}/seed{seed}"
PAIRS = [(pair.source, pair.target) for pair in CFG.adaptation.pairs]


def methods(encoder):
    """Methods that apply to an encoder: AdaBN needs batch norm, which a plain ViT has not."""
    plain = CFG.encoders[encoder].kind == "vit"
    return [m for m in CFG.adaptation.methods if not (plain and m == "adabn")]


def adapted_runs(source, target, encoder):
    """Method -> run folders of every seed."""
    return {
        m: [
            f"results/adaptation/{source}/{target}/{encoder}/{m}/seed{s}" for s in CFG.classifier.seeds
        ]
        for m in methods(encoder)
    }


def source_weights(wildcards):
    return f"{classifier_run(wildcards.source, wildcards.encoder, wildcards.seed)}/weights.safetensors"


def adapted_weights(wildcards):
    """Weights that a method predicts with; source-only has none of its own."""
    if wildcards.method == "source_only":
        return source_weights(wildcards)
    return expand(ADAPTED_RUN + "/weights.safetensors", **wildcards)[0]


rule adapt_adda:
    input:
        source=lambda w: manifests(w.source, "train"),
        target=lambda w: manifest(w.target, "unlabelled", "train"),
        weights=source_weights,
    output:
        **run_files("results/adaptation/{source}/{target}/{encoder}/adda/seed{seed}"),
    log:
        "logs/adapt_adda/{source}/{target}/{encoder}/seed{seed}.log",
    params:
        source=lambda w: stores(w.source, "train"),
        target=lambda w: store(w.target, "unlabelled", "train"),
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        adda=dump(CFG.adaptation.adda),
        adabn=dump(CFG.adaptation.adabn),
        num_classes=len(CLASSES),
        symmetries=lambda w: [symmetry(w.source), symmetry(w.target)],
        setting=lambda w: setting(w, f"ADDA {w.source} to {w.target} seed {w.seed}"),
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 12000 * attempt,
        runtime=720,
    conda:
        ENVS + "/torch.yaml"
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
    params:
        target=lambda w: store(w.target, "unlabelled", "train"),
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        adabn=dump(CFG.adaptation.adabn),
        num_classes=len(CLASSES),
        setting=lambda w: setting(w, f"AdaBN {w.source} to {w.target} seed {w.seed}"),
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=60,
    conda:
        ENVS + "/torch.yaml"
    script:
        "../workflow_scripts/adapt_adabn.py"


rule train_oracle:
    input:
        train=lambda w: manifests(w.target, "train"),
        validation=lambda w: manifests(w.target, "val"),
        weights=source_weights,
    output:
        **run_files("results/adaptation/{source}/{target}/{encoder}/oracle/seed{seed}"),
    log:
        "logs/train_oracle/{source}/{target}/{encoder}/seed{seed}.log",
    params:
        train=lambda w: stores(w.target, "train"),
        validation=lambda w: stores(w.target, "val"),
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        classifier=classifier_params,
        oracle=dump(CFG.adaptation.oracle),
        symmetry=lambda w: symmetry(w.target),
        setting=lambda w: setting(w, f"oracle {w.target} seed {w.seed}"),
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=720,
    conda:
        ENVS + "/torch.yaml"
    script:
        "../workflow_scripts/train_oracle.py"


rule predict_adapted:
    input:
        test=lambda w: manifests(w.target, "test"),
        weights=adapted_weights,
    output:
        predictions=ADAPTED_RUN + "/predictions.csv",
    log:
        "logs/predict_adapted/{source}/{target}/{encoder}/{method}/seed{seed}.log",
    wildcard_constraints:
        method="source_only|adabn|adda|oracle",
    params:
        test=lambda w: stores(w.target, "test"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        symmetry=lambda w: test_symmetry(w.target),
        setting=lambda w: setting(w, "predict"),
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    conda:
        ENVS + "/torch.yaml"
    script:
        "../workflow_scripts/predict.py"
