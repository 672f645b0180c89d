# Datasets: blocks by independent jobs, one seal per store, pools without labels for adaptation.


rule simulate_block:
    output:
        chunk="results/datasets/{domain}/{substructure}/{split}.zarr/image/c/{block}/0/0",
        part="results/datasets/{domain}/{substructure}/{split}.parts/{block}.npz",
    log:
        "logs/simulate_block/{domain}/{substructure}/{split}/{block}.log",
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        simulation=simulation_params,
        images=block_range,
    script:
        "../workflow_scripts/simulate_block.py"


rule seal_dataset:
    input:
        chunks=lambda w: [
            f"{store(w.domain, w.substructure, w.split)}/image/c/{b}/0/0"
            for b in range(n_blocks(w.split))
        ],
        parts=lambda w: [
            f"results/datasets/{w.domain}/{w.substructure}/{w.split}.parts/{b}.npz"
            for b in range(n_blocks(w.split))
        ],
    output:
        **packed("results/datasets/{domain}/{substructure}/{split}.zarr"),
        manifest="results/datasets/{domain}/{substructure}/{split}.manifest.json",
    log:
        "logs/seal_dataset/{domain}/{substructure}/{split}.log",
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        simulation=simulation_params,
        n_images=lambda w: CFG.simulation.count(w.split),
        store=lambda w: store(w.domain, w.substructure, w.split),
    script:
        "../workflow_scripts/seal_dataset.py"


rule pool_unlabelled:
    input:
        manifests=lambda w: manifests(w.domain, "train"),
    output:
        **packed("results/datasets/{domain}/unlabelled/train.zarr"),
        manifest="results/datasets/{domain}/unlabelled/train.manifest.json",
    log:
        "logs/pool_unlabelled/{domain}.log",
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        stores=lambda w: stores(w.domain, "train"),
        store=lambda w: store(w.domain, "unlabelled", "train"),
        seed=SEED,
    script:
        "../workflow_scripts/pool_unlabelled.py"
