# A smooth lens and source fitted to every image: the physicist's anomaly detector.


rule fit_macro_model:
    input:
        train=lambda w: manifest(w.domain, "no_sub", "train"),
        fitted=fitted_files,
    output:
        fits=f"{MACRO_FIT}/fits/{{part}}.csv",
    log:
        "logs/fit_macro_model/{domain}/{part}.log",
    wildcard_constraints:
        part="|".join([*CLASSES, "validation", "proxy"]),
    priority: 60
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 240 * attempt,
    params:
        fitted=fitted_store,
        train=lambda w: store(w.domain, "no_sub", "train"),
        spec=fit_params(),
        setting=lambda w: setting(w, f"fit {w.domain} {w.part}"),
    script:
        "../workflow_scripts/fit_macro_model.py"


rule score_macro_fit:
    input:
        test=[f"{MACRO_FIT}/fits/{s}.csv" for s in CLASSES],
        proxies=[f"{MACRO_FIT}/fits/{part}.csv" for part in ("validation", "proxy")],
        scored=lambda w: scored_manifests(w.domain),
    output:
        **score_files(MACRO_FIT, ["chi2"]),
    log:
        "logs/score_macro_fit/{domain}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        scored=lambda w: scored(w.domain, ["chi2"], limit=CFG.anomaly.macro_fit.n_images),
        setting=lambda w: setting(w, "fits"),
    script:
        "../workflow_scripts/score_macro_fit.py"
