// MLflowAPI: MLflow's REST API over the tracking and registry rooms; its oddities live here only.
