#!/usr/bin/env bash
# Measure a model on DAVIS val and COCO val beside the classical refiners, and write docs/results/ (analyses.sh adds the rest):
#     benchmarks/tables/evaluate_model.sh DATA [MODEL]        then: python -m benchmarks.tables.readme_tables
# Detections of a score below .05 stay as they are: no matched pair has one, and AP hardly changes.
set -euo pipefail
data=$1
model=${2:-starter}
mkdir -p runs docs/results

measure() { # SET IMAGES ANN
    local before="$data/detections/$1.segm.json" out="runs/$1.$(basename "$model").json"
    local report="docs/results/$1"
    bpr refine "$before" --img-dir "$2" --ann "$3" --model "$model" --min-score 0.05 --out "$out" | tee "$report.refine.txt"
    bpr eval "$out" --ann "$3" --before "$before" --out "$report.eval.json"
    python -m benchmarks.studies.classical_refiners "$before" --ann "$3" --img-dir "$2" --model "$model" --out "$report.refiners.json"
}
measure davis_val "$data/davis/val" "$data/davis/annotations/instances_val.json"
measure coco_val2017 "$data/coco/val2017" "$data/coco/annotations/instances_val2017.json"
python -m benchmarks.studies.refine_options "$data" scheme grid instance dense --model "$model" --out docs/results/schemes.json
