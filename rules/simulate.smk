# Datasets: blocks by independent jobs, one seal per store, pools without labels for adaptation.


rule simulate_block:
    """A block of simulated images with their truth."""
    output:
        chunk=f"{at.any_store}/image/c/{{block}}/0/0",
        part="<results>/datasets/{domain}/{substructure}/{split}.parts/{block}.npz",
    log:
        "<logs>/simulate_block/{domain}/{substructure}/{split}/{block}.log",
    wildcard_constraints:
        domain="|".join(map(re.escape, data.simulated(CFG.resolved))) or "nothing to simulate",
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        **needs(2000, 30),
    params:
        simulation=data.simulation_params,
        images=data.block_range,
    script:
        "../workflow_scripts/simulate_block.py"


# Images that others made, of which no truth is known.
rule import_block:
    """A block of images that others made."""
    input:
        files=data.files_of,
    output:
        chunk=f"{at.any_store}/image/c/{{block}}/0/0",
        part="<results>/datasets/{domain}/{substructure}/{split}.parts/{block}.npz",
    log:
        "<logs>/import_block/{domain}/{substructure}/{split}/{block}.log",
    wildcard_constraints:
        domain="|".join(map(re.escape, data.imported)) or "nothing to import",
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        **needs(2000, 30),
    params:
        imported=data.import_params,
        images=data.block_range,
    script:
        "../workflow_scripts/import_block.py"


rule seal_dataset:
    """The blocks of a dataset as one store with its manifest."""
    input:
        chunks=lambda w: data.block_files(w)["chunks"],
        parts=lambda w: data.block_files(w)["parts"],
    output:
        **data.sealed(at.any_store),
    log:
        "<logs>/seal_dataset/{domain}/{substructure}/{split}.log",
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        **needs(2000, 30),
    params:
        simulation=data.simulation_params,
        n_images=lambda w: CFG.simulation.count(w.split),
        store=lambda w: data.store(w.domain, w.substructure, w.split),
    script:
        "../workflow_scripts/seal_dataset.py"


rule pool_unlabelled:
    """A domain's training images, mixed and without labels, for adaptation."""
    input:
        manifests=lambda w: data.manifests(w.domain, "train"),
    output:
        **data.sealed(at.pool),
    log:
        "<logs>/pool_unlabelled/{domain}.log",
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        **needs(4000, 30),
    params:
        stores=lambda w: data.stores(w.domain, "train"),
        store=lambda w: data.pool(w.domain),
        seed=SEED,
    script:
        "../workflow_scripts/pool_unlabelled.py"


rule collect_gallery:
    """Test images of every class, to be drawn."""
    input:
        manifests=lambda w: data.manifests(w.domain, "test"),
    output:
        examples="<results>/gallery/{domain}.npz",
    log:
        "<logs>/collect_gallery/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(2000, 30),
    params:
        stores=lambda w: data.stores(w.domain, "test"),
        classes=CLASSES,
        n_examples=CFG.figures.gallery_examples,
        pixel_scale=lambda w: data.pixel_scale(w.domain),
    script:
        "../workflow_scripts/collect_gallery.py"


use rule plot as plot_gallery with:
    """The same lenses with every kind of substructure."""
    input:
        examples="<results>/gallery/{domain}.npz",
    output:
        output=pictured("gallery/{domain}"),
    log:
        "<logs>/plot_gallery/{domain}.log",
    params:
        code=code("figures.gallery"),
        made_by="figures.gallery:plot_gallery",
        title=lambda w: data.title(w.domain),
        figures=FIGURE_STYLE,
