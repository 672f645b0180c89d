# What each run of a study is given.
STUDY_TITLES = {
    "zoo": "Encoders at equal compute",
    "ablation": "Parts of the recipe",
    "scaling": "Number of training images",
    "search": "Best trials of the search, trained again",
}


def study_domain(study):
    return getattr(CFG, study).domain or CFG.classifier.domains[0]


def study_variants(study):
    """Names of the runs of a study: encoders, variants, numbers of images."""
    section = getattr(CFG, study)
    if study == "zoo":
        return section.encoders
    if study == "ablation":
        return list(section.variants)
    if study == "search":
        return [SHIPPED, *(f"rank{k + 1}" for k in range(section.n_confirmed))]
    fewer = {min(n, CFG.simulation.n_train) for n in section.n_train}
    return [f"n{n}" for n in sorted(fewer)]


def study_reference(study):
    """Variant that the others of a study are compared with."""
    if study == "scaling":
        return study_variants(study)[-1]
    return CFG.zoo.compare_with if study == "zoo" else SHIPPED


def encoder_size(encoder, domain):
    img_size = CFG.network_input.img_size(CFG.domain(domain).num_pix)
    return f"results/encoders/{encoder}_{img_size}.json"


def recipe_steps():
    """Steps of the shipped recipe on all training images."""
    n = CFG.simulation.n_train
    return steps_of(CFG.classifier, n_train=n, n_classes=len(CLASSES))


def study_of(wildcards):
    """Everything that a run of a study depends on."""
    study, name = wildcards.study, wildcards.variant
    section, domain = getattr(CFG, study), study_domain(study)
    variant, n_train, sizes, steps = Variant(), None, [], recipe_steps()
    if study == "zoo":
        variant = Variant(encoder=name)
        sizes = [encoder_size(e, domain) for e in (section.reference, name)]
    elif study == "ablation":
        variant = section.variants[name]
        shorter = {"epochs": section.epochs, **variant.classifier}
        variant, steps = variant.model_copy(update={"classifier": shorter}), None
    else:
        n_train = int(name.removeprefix("n"))
    recipe = resolve_variant(
        variant,
        encoder=variant.encoder or section.encoder,
        encoders=CFG.encoders,
        classifier=CFG.classifier,
        network_input=CFG.network_input,
    )
    mae = [f"results/anomaly/{domain}/mae/seed{CFG.anomaly.seeds[0]}/weights.safetensors"]
    return {
        "domain": domain,
        "train_domain": noiseless(domain) if variant.redraw_noise else domain,
        "redraw_noise": variant.redraw_noise,
        "recipe": recipe.model_dump(exclude={"classifier": {"domains", "encoders", "seeds"}}),
        "n_train": n_train,
        "steps": steps,
        "sizes": sizes,
        "mae": mae if variant.initialise else [],
    }


def study_setting(wildcards):
    label = f"{wildcards.study} {wildcards.variant} seed {wildcards.seed}"
    recipe = study_of(wildcards)["recipe"]
    return {**setting(wildcards, label), "network_input": recipe["network_input"]}


def study_rows(study):
    """Predictions of every run: of the test images, and of validation ones where parts of the recipe
    are chosen."""
    file = "validation.csv" if study in ("ablation", "search") else "predictions.csv"
    domain = study_domain(study)
    rows = []
    for variant in study_variants(study):
        for seed in getattr(CFG, study).seeds:
            folder = f"results/studies/{study}/{variant}/seed{seed}"
            row = {"study": study, "variant": variant, "seed": seed, "path": f"{folder}/{file}"}
            size = encoder_size(variant, domain) if study == "zoo" else ""
            rows.append({**row, "run": f"{folder}/run.json", "size": size})
    if study == "zoo":
        path = f"results/classification/{domain}/{BASELINE}/predictions.csv"
        row = {"study": study, "variant": BASELINE, "seed": 0, "path": path}
        rows.append({**row, "run": "", "size": ""})
    return rows


def search_recipe(**length):
    """What a search starts from."""
    recipe = resolve_variant(
        Variant(classifier=length),
        encoder=CFG.search.encoder,
        encoders=CFG.encoders,
        classifier=CFG.classifier,
        network_input=CFG.network_input,
    )
    return recipe.model_dump(exclude={"classifier": {"domains", "encoders", "seeds"}})


def search_start(**length):
    """What every trial of the search depends on, or, at full length, every candidate."""
    domain = CFG.domain(study_domain("search"))
    return {
        "recipe": search_recipe(**length),
        "num_pix": domain.num_pix,
        "n_train": CFG.simulation.n_train,
        "symmetry": domain.population.symmetry,
    }


def study_files(study):
    return table(study) + figure(f"studies/{study}")
