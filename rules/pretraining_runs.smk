# What each run of the pretraining study is given.
STARTED_RUN = "results/pretraining/{start}/{fraction}/seed{seed}"


def pretraining_domain():
    return CFG.pretraining.domain or CFG.classifier.domains[0]


def pretraining_mae(wildcards):
    """Weights of the masked autoencoder of the same seed, or of its first."""
    seed = int(wildcards.seed)
    seed = seed if seed in CFG.anomaly.seeds else CFG.anomaly.seeds[0]
    return f"{MAE_RUN}/weights.safetensors".format(domain=pretraining_domain(), seed=seed)


def labelled(split):
    """Images of every class that a run may use: a share of those of a split."""
    return lambda w: max(round(float(w.fraction) * CFG.simulation.count(split)), 2)


def started_recipe(wildcards):
    """Encoder and training of a run, and the scale of its images."""
    recipe, encoder = pretraining_recipe(CFG.pretraining, CFG.classifier), mae_encoder(
        CFG.anomaly.mae
    )
    if wildcards.start == "shipped":
        encoder = CFG.encoders[CFG.classifier.encoders[0]]
        recipe = CFG.classifier.model_copy(update={"epochs": CFG.pretraining.epochs})
    return {
        "encoder": dump(encoder),
        "classifier": recipe.model_dump(exclude={"domains", "encoders", "seeds"}),
    }


def pretraining_steps():
    classifier = CFG.classifier.model_copy(update={"epochs": CFG.pretraining.epochs})
    return steps_of(classifier, n_train=CFG.simulation.n_train, n_classes=len(CLASSES))


def pretraining_rows():
    """Predictions of every start, share of the labels and seed; each beside the one from scratch."""
    rows = []
    for start in STARTS:
        for fraction in CFG.pretraining.fractions:
            for seed in CFG.pretraining.seeds:
                where = {"fraction": fraction, "seed": seed}
                path, scratch = (
                    f"{STARTED_RUN}/predictions.csv".format(start=s, **where)
                    for s in (start, "scratch")
                )
                rows.append(
                    {
                        "domain": pretraining_domain(),
                        "start": start,
                        "n_train": max(round(fraction * CFG.simulation.n_train), 2),
                        "seed": seed,
                        "path": path,
                        "reference": "" if start == "scratch" else scratch,
                    }
                )
    return rows
