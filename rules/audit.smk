# Does anything but substructure tell the classes of a dataset apart?
AUDIT_TABLES = table("audit")
AUDIT_SPLITS = ("train", "val", "test")


rule audit_domain:
    input:
        manifests=lambda w: [m for split in AUDIT_SPLITS for m in manifests(w.domain, split)],
        source=source(
            "evaluation/audit/tests.py",
            "evaluation/audit/data.py",
            "evaluation/audit/statistics.py",
            "physics/einstein_radius.py",
        ),
    output:
        audit="results/audit/{domain}.csv",
    log:
        "logs/audit_domain/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        stores=lambda w: {split: stores(w.domain, split) for split in AUDIT_SPLITS},
        classes=CLASSES,
        audit=dump(CFG.audit),
        network_input=dump(CFG.network_input),
        seed=SEED,
    script:
        "../workflow_scripts/audit_domain.py"


rule tabulate_audit:
    input:
        audits=[f"results/audit/{d}.csv" for d in CFG.domains],
        source=source(
            "evaluation/audit/table.py", "evaluation/statistics/tables.py", "evaluation/audit/verdicts.py"
        ),
    output:
        AUDIT_TABLES,
    log:
        "logs/tabulate_audit.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    script:
        "../workflow_scripts/tabulate_audit.py"
