# Classifiers to be handed on: weights that describe themselves, with model cards.


rule write_model_card:
    """A classifier's weights, which describe themselves, with its model card."""
    input:
        weights=f"{at.classifier_run}/weights.safetensors",
        calibration=f"{at.classifier_run}/calibration.json",
        run=f"{at.classifier_run}/run.json",
        table=at.table_csv("classification"),
        audits=lambda w: data.audits([{"domain": w.domain}], "domain"),
    output:
        weights=f"{at.card}/model.safetensors",
        config=f"{at.card}/config.json",
        card=f"{at.card}/README.md",
    log:
        "<logs>/write_model_card/{domain}/{encoder}/seed{seed}.log",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        **needs(2000, 10),
    params:
        code=code("evaluation.cards.writing"),
        network=lambda w: classification.described(w.domain),
    script:
        "../workflow_scripts/write_model_card.py"


rule model_cards:
    """Classifiers with weights that describe themselves, and model cards."""
    input:
        classification.cards(),
