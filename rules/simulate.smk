# Datasets: blocks by independent jobs, one seal per store, pools without labels for adaptation.


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
        manifest(d, s, split) for d in CFG.domains for s in CLASSES for split in ("train", "val", "test")
    ]


rule simulate_block:
    output:
        chunk="results/datasets/{domain}/{substructure}/{split}.zarr/image/c/{block}/0/0",
        part="results/datasets/{domain}/{substructure}/{split}.parts/{block}.npz",
    log:
        "logs/simulate_block/{domain}/{substructure}/{split}/{block}.log",
    params:
        simulation=simulation_params,
        images=block_range,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/simulate.yaml"
    script:
        "../workflow_scripts/simulate_block.py"


rule seal_dataset:
    input:
        chunks=lambda w: [
            f"{store(w.domain, w.substructure, w.split)}/image/c/{b}/0/0" for b in range(n_blocks(w.split))
        ],
        parts=lambda w: [
            f"results/datasets/{w.domain}/{w.substructure}/{w.split}.parts/{b}.npz"
            for b in range(n_blocks(w.split))
        ],
    output:
        manifest="results/datasets/{domain}/{substructure}/{split}.manifest.json",
    log:
        "logs/seal_dataset/{domain}/{substructure}/{split}.log",
    params:
        simulation=simulation_params,
        n_images=lambda w: CFG.simulation.count(w.split),
        store=lambda w: store(w.domain, w.substructure, w.split),
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    conda:
        ENVS + "/simulate.yaml"
    script:
        "../workflow_scripts/seal_dataset.py"


rule pool_unlabelled:
    input:
        manifests=lambda w: manifests(w.domain, "train"),
    output:
        manifest="results/datasets/{domain}/unlabelled/train.manifest.json",
    log:
        "logs/pool_unlabelled/{domain}.log",
    params:
        stores=lambda w: stores(w.domain, "train"),
        store=lambda w: store(w.domain, "unlabelled", "train"),
        seed=SEED,
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=30,
    conda:
        ENVS + "/simulate.yaml"
    script:
        "../workflow_scripts/pool_unlabelled.py"
