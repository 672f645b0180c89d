# A smooth lens and source fitted to every image, of all classes and splits alike: what is left over,
# in units of the noise, and the convergence that explains it.


rule fit_reference:
    """Smooth lenses of a domain among which every fit looks for its start."""
    output:
        reference="<results>/fits/{domain}/reference.npz",
    log:
        "<logs>/fit_reference/{domain}.log",
    priority: 150
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        **needs(2000, 30),
    params:
        domain=lambda w: dump(CFG.domain(w.domain)),
        n_reference=CFG.fit.n_reference,
        seed=SEED,
    script:
        "../workflow_scripts/fit_reference.py"


rule fit_block:
    """A smooth lens fitted to every image of a block."""
    input:
        images=fits.image_files,
        reference="<results>/fits/{domain}/reference.npz",
    output:
        **fits.block_outputs("test"),
    log:
        "<logs>/fit_block/{domain}/{substructure}/{split}/{block}.log",
    wildcard_constraints:
        split="val|test",
        substructure="|".join([*CLASSES, "proxy"]),
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        **needs(3000, 120),
    params:
        images=fits.images,
        store=lambda w: fits.fit(w.domain, w.substructure, w.split),
        fit=fits.spec("test"),
        block=fits.block_of,
    script:
        "../workflow_scripts/fit_block.py"


use rule fit_block as fit_training_block with:
    """A smooth lens fitted to every training image of a block."""
    output:
        **fits.block_outputs("train"),
    log:
        "<logs>/fit_training_block/{domain}/{substructure}/{split}/{block}.log",
    wildcard_constraints:
        split="train",
        substructure="|".join(CLASSES),
    params:
        images=fits.images,
        store=lambda w: fits.fit(w.domain, w.substructure, w.split),
        fit=fits.spec("train"),
        block=fits.block_of,


rule seal_fit:
    """The fits of a dataset as one store with its manifest."""
    input:
        images=fits.image_files,
        chunks=lambda w: fits.blocks(w)["chunks"],
        parts=lambda w: fits.blocks(w)["parts"],
    output:
        **data.sealed(at.any_fit),
    log:
        "<logs>/seal_fit/{domain}/{substructure}/{split}.log",
    wildcard_constraints:
        substructure="|".join([*CLASSES, "proxy"]),
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        **needs(2000, 30),
    params:
        images=fits.images,
        store=lambda w: fits.fit(w.domain, w.substructure, w.split),
        fit=lambda w: fits.spec(w.split),
    script:
        "../workflow_scripts/seal_fit.py"


rule pool_fits:
    """The fits of a domain's training images, mixed and without labels."""
    input:
        pool=lambda w: data.pool_files(w.domain),
        fits=lambda w: fits.labelled_files(w.domain),
    output:
        **data.sealed(at.pool_fit),
    log:
        "<logs>/pool_fits/{domain}.log",
    conda:
        "../envs/simulate.yaml"
    threads: 1
    resources:
        **needs(4000, 30),
    params:
        pool=lambda w: data.pool(w.domain),
        store=lambda w: fits.fit(w.domain, "unlabelled", "train"),
        labelled=lambda w: fits.labelled(w.domain),
        seed=SEED,
    script:
        "../workflow_scripts/pool_fits.py"


use rule tabulate as tabulate_fits with:
    """How well smooth lenses were fitted, domain by domain: a table."""
    input:
        stores=fits.rows_files(),
    output:
        outputs=tabled("fits"),
    log:
        "<logs>/tabulate_fits.log",
    params:
        code=code("evaluation.audit.fits"),
        made_by="evaluation.audit.fits:tabulate_fits",
        runs=fits.rows(),
        evaluation=dump(CFG.evaluation),
        seed=SEED,


rule fits:
    """Smooth lenses fitted to every image of every domain, and a table of what became of them."""
    input:
        fits.all_files(CFG.domains),
        at.table("fits") if fits.domains() else [],
