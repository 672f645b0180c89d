# Does anything but substructure tell the classes of a dataset apart?


rule audit_domain:
    """Trials to tell a domain's classes apart without their substructure."""
    input:
        manifests=lambda w: data.manifests(w.domain, *SPLITS),
    output:
        audit=at.audit,
    log:
        "<logs>/audit_domain/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(4000, 60),
    params:
        code=code("evaluation.audit.domain"),
        stores=lambda w: {split: data.stores(w.domain, split) for split in SPLITS},
        classes=CLASSES,
        audit=dump(CFG.audit),
        network_input=IMAGE_INPUT,
        seed=SEED,
    script:
        "../workflow_scripts/audit_domain.py"


use rule tabulate as tabulate_audit with:
    """The audit of every domain: a table."""
    input:
        audits=expand(at.audit, domain=data.simulated(CFG.domains)),
    output:
        outputs=tabled("audit"),
    log:
        "<logs>/tabulate_audit.log",
    params:
        code=code("evaluation.audit.table"),
        made_by="evaluation.audit.table:tabulate_audit",
