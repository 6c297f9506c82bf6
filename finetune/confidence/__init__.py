"""How far an answer can be trusted: a temperature and a threshold, fitted on dev.

    --do_eval --calibrate --min_precision=0.95        # writes calibration.json

    probabilities --temperature, threshold--> Calibration --record--> calibration.json
        --apply--> predictions.tsv, Predictor, the service
"""
