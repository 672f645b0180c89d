# Which runs and files the configuration asks for, and what their rules are given.
CLASSIFIER_RUN = "results/classification/{domain}/{encoder}/seed{seed}"
ADAPTED_RUN = "results/adaptation/{source}/{target}/{encoder}/{method}/seed{seed}"
MAE_RUN = "results/anomaly/{domain}/mae/seed{seed}"
PAIRS = [(pair.source, pair.target) for pair in CFG.adaptation.pairs]
BASELINE = "radial_profile"
REFERENCE = "source_only"  # what every method of adaptation is compared with
ORACLE = "oracle"


def n_blocks(split):
    return -(-CFG.simulation.count(split) // CFG.simulation.images_per_block)


def simulation_params(wildcards):
    """Everything that the images of a store depend on, except their number."""
    return {
        "domain": dump(CFG.domain(wildcards.domain)),
        "substructure": wildcards.substructure,
        "split": wildcards.split,
        "seed": SEED,
        "images_per_block": CFG.simulation.images_per_block,
        "engine": CFG.simulation.engine,
        "precision": CFG.simulation.precision,
    }


def block_range(wildcards):
    """Images of a block: only the last one changes when a dataset grows."""
    start = int(wildcards.block) * CFG.simulation.images_per_block
    stop = start + CFG.simulation.images_per_block
    return {"start": start, "stop": min(stop, CFG.simulation.count(wildcards.split))}


def all_manifests():
    return [
        file
        for d in CFG.domains
        for split in ("train", "val", "test")
        for file in manifests(d, split)
    ]


def classifier_run(domain, encoder, seed):
    return f"results/classification/{domain}/{encoder}/seed{seed}"


def classifier_runs(domain):
    """Encoder -> run folders of every seed."""
    return {
        e: [classifier_run(domain, e, s) for s in CFG.classifier.seeds]
        for e in CFG.classifier.encoders
    }


def classifier_params(wildcards):
    """The recipe, without the lists that say which runs exist."""
    section = dump(CFG.classifier)
    return {k: v for k, v in section.items() if k not in ("domains", "encoders", "seeds")}


def methods(encoder):
    """Methods that apply to an encoder: AdaBN needs batch norm, which a plain ViT has not."""
    plain = CFG.encoders[encoder].kind == "vit"
    return [m for m in CFG.adaptation.methods if not (plain and m == "adabn")]


def adapted_runs(source, target, encoder):
    """Method -> run folders of every seed."""
    return {
        m: [
            f"results/adaptation/{source}/{target}/{encoder}/{m}/seed{s}"
            for s in CFG.classifier.seeds
        ]
        for m in methods(encoder)
    }


def joint_settings(wildcards):
    """A method's own section."""
    return dump(getattr(CFG.adaptation, wildcards.method))


def source_weights(wildcards):
    return f"{classifier_run(wildcards.source, wildcards.encoder, wildcards.seed)}/weights.safetensors"


def adda_start(wildcards):
    """The classifier that ADDA adapts: of the source, or trained further on distorted images of it."""
    if CFG.adaptation.adda.start == REFERENCE:
        return source_weights(wildcards)
    method = CFG.adaptation.adda.start
    return expand(f"{ADAPTED_RUN}/weights.safetensors", **{**wildcards, "method": method})[0]


def adapted_weights(wildcards):
    """Weights that a method predicts with; source-only has none of its own."""
    if wildcards.method == "source_only":
        return source_weights(wildcards)
    return expand(f"{ADAPTED_RUN}/weights.safetensors", **wildcards)[0]


def compared_with(domain, encoder, seed):
    """Predictions that a network is compared with image by image; none for the reference itself."""
    reference = CFG.evaluation.compare_with
    if reference == encoder:
        return ""
    baseline = f"results/classification/{domain}/{BASELINE}"
    folder = baseline if reference == BASELINE else classifier_run(domain, reference, seed)
    return f"{folder}/predictions.csv"


def classification_rows():
    rows = []
    for domain in CFG.classifier.domains:
        for encoder, folders in classifier_runs(domain).items():
            rows += [
                {
                    "domain": domain,
                    "model": encoder,
                    "seed": s,
                    "path": f"{f}/predictions.csv",
                    "calibration": f"{f}/calibration.json",
                    "validation": f"{f}/validation.csv",
                    "reference": compared_with(domain, encoder, s),
                }
                for s, f in zip(CFG.classifier.seeds, folders)
            ]
        path = f"results/classification/{domain}/{BASELINE}/predictions.csv"
        baseline = {"domain": domain, "model": BASELINE, "seed": 0, "path": path}
        rows.append({**baseline, "calibration": "", "validation": "", "reference": ""})
    return rows


def classification_files(domain):
    """Predictions and calibrations behind the rows of a domain."""
    rows = [row for row in classification_rows() if row["domain"] == domain]
    return [row[key] for row in rows for key in ("path", "calibration", "validation") if row[key]]


def reference_of(source, target, encoder, method, seed):
    """Predictions that a method is compared with image by image; none for the reference itself."""
    if method == REFERENCE or REFERENCE not in methods(encoder):
        return ""
    folder = f"results/adaptation/{source}/{target}/{encoder}/{REFERENCE}/seed{seed}"
    return f"{folder}/predictions.csv"


def oracle_of(source, target, encoder, method, seed):
    """Predictions between which and the reference's the gap lies that a method is to close."""
    known = {REFERENCE, ORACLE} <= set(methods(encoder))
    if method in (REFERENCE, ORACLE) or not known:
        return ""
    return f"results/adaptation/{source}/{target}/{encoder}/{ORACLE}/seed{seed}/predictions.csv"


def adaptation_rows():
    return [
        {
            "source_domain": source,
            "target_domain": target,
            "model": encoder,
            "method": method,
            "seed": s,
            "path": f"{folder}/predictions.csv",
            "reference": reference_of(source, target, encoder, method, s),
            "oracle": oracle_of(source, target, encoder, method, s),
        }
        for source, target in PAIRS
        for encoder in CFG.adaptation.encoders
        for method, folders in adapted_runs(source, target, encoder).items()
        for s, folder in zip(CFG.classifier.seeds, folders)
    ]


def transfer_rows():
    """Every classifier, and the baseline, on the test images of every domain of its image size."""
    rows = []
    for domain in CFG.classifier.domains:
        size = CFG.network_input.img_size(CFG.domain(domain).num_pix)
        targets = [
            t for t in CFG.domains if CFG.network_input.img_size(CFG.domain(t).num_pix) == size
        ]
        models = [(e, s) for e in CFG.classifier.encoders for s in CFG.classifier.seeds]
        for target in targets:
            for model, seed in [*models, (BASELINE, 0)]:
                home = f"results/classification/{domain}"
                folder = home if target == domain else f"results/transfer/{domain}/{target}"
                run = model if model == BASELINE else f"{model}/seed{seed}"
                path = f"{folder}/{run}/predictions.csv"
                keys = {"domain": domain, "target_domain": target, "model": model}
                rows.append({**keys, "seed": seed, "path": path})
    return rows


def all_weights():
    """Weights of every run of the configuration."""
    rows = classification_rows() + adaptation_rows() + anomaly_rows()
    unweighted = (BASELINE, "source_only", "supervised", *ANOMALY_BASELINES)
    files = [
        Path(r["path"])
        for r in rows
        if r.get("method") not in unweighted and r.get("model") != BASELINE
    ]
    # Scores of a run lie in a folder of their own.
    folders = [f.parents[1] if f.parent.name == "scores" else f.parent for f in files]
    weights = [f"{folder}/weights.safetensors" for folder in dict.fromkeys(folders)]
    return weights + regression_weights()


def predictions_of(runs):
    """Method or encoder -> predictions of every seed."""
    return {
        name: [f"{folder}/predictions.csv" for folder in folders] for name, folders in runs.items()
    }


def classification_predictions(domain):
    baseline = f"results/classification/{domain}/{BASELINE}/predictions.csv"
    return {**predictions_of(classifier_runs(domain)), BASELINE: [baseline]}


def adaptation_predictions(source, target, encoder):
    return predictions_of(adapted_runs(source, target, encoder))


def histories_of(runs):
    return {
        name: [f"{folder}/history.csv" for folder in folders] for name, folders in runs.items()
    }


def flat(mapping):
    return [path for paths in mapping.values() for path in paths]


def exports():
    """Exported classifiers: the first seed of every encoder and domain."""
    runs = [
        f"{d}/{e}/seed{CFG.classifier.seeds[0]}"
        for d in CFG.classifier.domains
        for e in CFG.classifier.encoders
    ]
    return [
        f"results/export/{run}/classifier.{suffix}" for run in runs for suffix in ("onnx", "json")
    ]


def figure_names():
    names = [f"gallery/{d}" for d in CFG.domains]
    for d in CFG.classifier.domains:
        names += [
            f"classification/{kind}_{d}"
            for kind in ("roc", "confusion", "history", "strength", "reliability")
        ]
    for s, t in PAIRS:
        for e in CFG.adaptation.encoders:
            kinds = ["roc", "confusion", "summary"]
            kinds += ["history", "embedding"] if "adda" in CFG.adaptation.methods else []
            names += [f"adaptation/{kind}_{s}_{t}_{e}" for kind in kinds]
    names += [f"regression/{d}" for d in CFG.regression.domains]
    for d in CFG.anomaly.domains:
        kinds = ("roc", "scores", "history", "summary", "strength", "reconstructions")
        names += [f"anomaly/{kind}_{d}" for kind in kinds]
    return names


def audits(rows, *keys):
    """Audits of the domains that the rows of a table name: a result is flagged if its data failed."""
    return [f"results/audit/{d}.csv" for d in sorted({row[key] for row in rows for key in keys})]


def network_limit_runs(domain):
    """Predictions of every network of a domain, and of the baseline, on test images and grid."""
    folder = f"results/limit/predictions/{domain}"
    found = [
        {
            "model": encoder,
            "seed": seed,
            "test": f"{classifier_run(domain, encoder, seed)}/predictions.csv",
            "grid": f"{folder}/{encoder}/seed{seed}/grid.csv",
        }
        for encoder in CFG.classifier.encoders
        for seed in CFG.classifier.seeds
    ]
    baseline = f"results/classification/{domain}/{BASELINE}/predictions.csv"
    grid = f"{folder}/{BASELINE}/grid.csv"
    found.append({"model": BASELINE, "seed": 0, "test": baseline, "grid": grid})
    return [run if domain in LIMIT_GRIDS else {**run, "grid": ""} for run in found]


def network_limit_files(domain):
    return [run[key] for run in network_limit_runs(domain) for key in ("test", "grid") if run[key]]
