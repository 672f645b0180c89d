# What tables and figures have in common: `use rule plot as plot_...`. The rule's own lines say which
# function makes it (made_by); its arguments are the rule's inputs, outputs and params of their names.


rule plot:
    """What figures have in common; to be used as another rule, not by itself."""
    log:
        "<logs>/plot.log",
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        **needs(1000, 30),
    script:
        "../workflow_scripts/plot.py"


rule tabulate:
    """What tables have in common; to be used as another rule, not by itself."""
    log:
        "<logs>/tabulate.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(2000, 60),
    script:
        "../workflow_scripts/tabulate.py"
