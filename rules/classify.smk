# Supervised classifiers and the shortcut baseline.
CLASSIFIER_RUN = "results/classification/{domain}/{encoder}/seed{seed}"


def classifier_run(domain, encoder, seed):
    return f"results/classification/{domain}/{encoder}/seed{seed}"


def classifier_runs(domain):
    """Encoder -> run folders of every seed."""
    return {
        e: [classifier_run(domain, e, s) for s in CFG.classifier.seeds] for e in CFG.classifier.encoders
    }


def classifier_params(wildcards):
    """The recipe, without the lists that say which runs exist."""
    section = dump(CFG.classifier)
    return {k: v for k, v in section.items() if k not in ("domains", "encoders", "seeds")}


rule train_classifier:
    input:
        train=lambda w: manifests(w.domain, "train"),
        validation=lambda w: manifests(w.domain, "val"),
    output:
        **run_files(CLASSIFIER_RUN),
    log:
        "logs/train_classifier/{domain}/{encoder}/seed{seed}.log",
    params:
        train=lambda w: stores(w.domain, "train"),
        validation=lambda w: stores(w.domain, "val"),
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        classifier=classifier_params,
        symmetry=lambda w: symmetry(w.domain),
        setting=lambda w: setting(w, f"classifier {w.domain} {w.encoder} seed {w.seed}"),
    threads: CFG.compute.threads
    resources:
        gpu=GPU,
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=720,
    conda:
        ENVS + "/torch.yaml"
    script:
        "../workflow_scripts/train_classifier.py"


rule predict_classifier:
    input:
        test=lambda w: manifests(w.domain, "test"),
        weights=CLASSIFIER_RUN + "/weights.safetensors",
    output:
        predictions=CLASSIFIER_RUN + "/predictions.csv",
    log:
        "logs/predict_classifier/{domain}/{encoder}/seed{seed}.log",
    params:
        test=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        symmetry=lambda w: test_symmetry(w.domain),
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


rule predict_radial_profile:
    input:
        train=lambda w: manifests(w.domain, "train"),
        test=lambda w: manifests(w.domain, "test"),
    output:
        predictions="results/classification/{domain}/radial_profile/predictions.csv",
    log:
        "logs/predict_radial_profile/{domain}.log",
    params:
        train=lambda w: stores(w.domain, "train"),
        test=lambda w: stores(w.domain, "test"),
        classes=CLASSES,
        setting=lambda w: setting(w, "radial profile"),
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=60,
    conda:
        ENVS + "/torch.yaml"
    script:
        "../workflow_scripts/predict_radial_profile.py"
