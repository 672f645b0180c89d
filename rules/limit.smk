# The physical limit: what any method can reach on one image, and what networks reach of it.
GRID = CFG.limit.model_dump(include={"f_sub", "magnitudes", "n_network_images"})


rule measure_limit:
    """Bounds on the AUC that any method can reach in a domain."""
    output:
        table="<results>/limit/{domain}.csv",
    log:
        "<logs>/measure_limit/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(4000, 240),
    params:
        code=code("evaluation.limit.bounds", "simulate.response"),
        domain=lambda w: dump(CFG.domain(w.domain)),
        classes=CLASSES,
        bounds=dump(CFG.limit.bounds),
        evaluation=dump(CFG.evaluation),
        seed=SEED,
    script:
        "../workflow_scripts/measure_limit.py"


use rule tabulate as tabulate_limit with:
    """Bounds on the AUC that any method can reach: a table."""
    input:
        tables=limit.bounds(),
    output:
        outputs=tabled("limit"),
    log:
        "<logs>/tabulate_limit.log",
    params:
        code=code("evaluation.limit.bounds"),
        made_by="evaluation.limit.bounds:tabulate_limit",
        confidence=CFG.evaluation.confidence,


use rule plot as plot_limit with:
    """Bounds on the AUC that any method can reach."""
    input:
        table="<results>/limit/{domain}.csv",
    output:
        output=pictured("limit/auc_{domain}"),
    log:
        "<logs>/plot_limit/{domain}.log",
    params:
        code=code("figures.limit"),
        made_by="figures.limit:plot_limit",
        title=lambda w: f"Physical limit of one image, {CFG.labels[w.domain]}",
        figures=FIGURE_STYLE,


rule limit:
    """Bounds on the AUC that any method can reach on one image: table and figures."""
    input:
        limit.results(),


rule simulate_grid:
    """Test images in every cell of a grid of f_sub and magnitude."""
    output:
        folder=directory("<results>/limit/images/{domain}"),
    log:
        "<logs>/simulate_grid/{domain}.log",
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        **needs(2000, 120),
    params:
        domain=lambda w: dump(CFG.domain(w.domain)),
        classes=CLASSES,
        grid=GRID,
        simulation=CFG.simulation.model_dump(include={"engine", "precision"}),
        seed=SEED,
    script:
        "../workflow_scripts/simulate_grid.py"


rule fit_grid:
    """A smooth lens fitted to every image of the grid."""
    input:
        folder="<results>/limit/images/{domain}",
        reference="<results>/fits/{domain}/reference.npz",
    output:
        folder=directory("<results>/limit/fits/{domain}"),
    log:
        "<logs>/fit_grid/{domain}.log",
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        **needs(3000, 240),
    params:
        classes=CLASSES,
        grid=GRID,
        fit=fits.spec("train"),
    script:
        "../workflow_scripts/fit_grid.py"


rule predict_grid:
    """A classifier's probabilities of the images of the grid."""
    input:
        folder="<results>/limit/images/{domain}",
        fits=["<results>/limit/fits/{domain}"] * CFG.network_input.fitted,
        weights=f"{at.classifier_run}/weights.safetensors",
    output:
        predictions=at.grid_predictions,
    log:
        "<logs>/predict_grid/{domain}/{encoder}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: CFG.compute.threads
    resources:
        **needs(4000, 120),
        gpu=GPU,
    params:
        classes=CLASSES,
        grid=GRID,
        encoder=lambda w: dump(CFG.encoders[w.encoder]),
        symmetry=lambda w: data.test_symmetry(w.domain),
        setting=lambda w: setting(w, f"grid {w.domain} {w.encoder} seed {w.seed}"),
    script:
        "../workflow_scripts/predict_grid.py"


rule predict_grid_radial_profile:
    """Probabilities of the grid's images from rings and moments."""
    input:
        folder="<results>/limit/images/{domain}",
        train=lambda w: data.manifests(w.domain, "train"),
    output:
        predictions=at.grid_baseline,
    log:
        "<logs>/predict_grid_radial_profile/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(6000, 60),
    params:
        train=lambda w: data.stores(w.domain, "train"),
        classes=CLASSES,
        grid=GRID,
        setting=lambda w: setting(w, "radial profile", IMAGE),
    script:
        "../workflow_scripts/predict_grid_radial_profile.py"


use rule tabulate as measure_network_limit with:
    """Networks beside the physical limit in a domain."""
    input:
        limit="<results>/limit/{domain}.csv",
        predictions=lambda w: limit.network_files(w.domain),
    output:
        output="<results>/limit/networks/{domain}.csv",
    log:
        "<logs>/measure_network_limit/{domain}.log",
    params:
        code=code("evaluation.limit.networks"),
        made_by="evaluation.limit.networks:measure_network_limit",
        runs=lambda w: limit.network_runs(w.domain),
        domain=lambda w: w.domain,
        evaluation=dump(CFG.evaluation),
        seed=SEED,


use rule tabulate as tabulate_network_limit with:
    """Networks beside the physical limit: a table."""
    input:
        tables=limit.network_tables(),
    output:
        outputs=tabled("network_limit"),
    log:
        "<logs>/tabulate_network_limit.log",
    params:
        code=code("evaluation.limit.networks"),
        made_by="evaluation.limit.networks:tabulate_network_limit",
        confidence=CFG.evaluation.confidence,


use rule plot as plot_network_limit with:
    """AUC of networks beside the physical limit."""
    input:
        table="<results>/limit/{domain}.csv",
        networks="<results>/limit/networks/{domain}.csv",
    output:
        output=pictured("limit/networks_{domain}"),
    log:
        "<logs>/plot_network_limit/{domain}.log",
    params:
        code=code("figures.limit"),
        made_by="figures.limit:plot_limit",
        title=lambda w: f"Networks and the physical limit, {CFG.labels[w.domain]}",
        figures=FIGURE_STYLE,


use rule plot as plot_efficiency with:
    """The share of the oracle's d' that networks reach."""
    input:
        table="<results>/limit/networks/{domain}.csv",
    output:
        output=pictured("limit/efficiency_{domain}"),
    log:
        "<logs>/plot_efficiency/{domain}.log",
    params:
        code=code("figures.network_limit"),
        made_by="figures.network_limit:plot_efficiency",
        title=lambda w: f"Networks and the physical limit, {CFG.labels[w.domain]}",
        figures=FIGURE_STYLE,


rule network_limit:
    """Networks beside the physical limit: table and figures."""
    input:
        limit.network_results(),
