#!/usr/bin/env bash
# Every table and figure of docs/reproduce.md:   benchmarks/tables/analyses.sh DATA [MODEL]   then: python -m benchmarks.tables.readme_tables
# DATA holds coco/, davis/ and detections/. Refined results of evaluate_model.sh in runs/ are used.
# Numbers go to docs/results/, plots and pictures of painted scenes to docs/assets/, pictures of data sets to runs/figures/
set -euo pipefail
data=$1
model=${2:-starter}
name=$(basename "$model")
mkdir -p runs/figures docs/results docs/assets
metrics=(ap boundary-ap matched af-matched af-tp af-semantic mba trimap)

refine() { # BEFORE IMAGES ANN OUT
    [ -f "$4" ] || bpr refine "$1" --img-dir "$2" --ann "$3" --model "$model" --min-score 0.05 --out "$4"
}
figures() { # FOLDER REFINED BEFORE IMAGES ANN: pictures, with their tables beside them
    local files=("$2" --before "$3" --ann "$5" --img-dir "$4")
    mkdir -p "$1"
    bpr analyze scatter "${files[@]}" --out "$1/scatter.json"
    bpr analyze failures "${files[@]}" --out "$1/failures.json"
    bpr analyze patches "${files[@]}" --out "$1/patches.png"
    bpr analyze images "${files[@]}" --out "$1/images"
}
analyse() { # SET IMAGES ANN
    local before="$data/detections/$1.segm.json" refined="runs/$1.$name.json" report="docs/results/$1"
    refine "$before" "$2" "$3" "$refined"
    bpr eval "$refined" --before "$before" --ann "$3" --metrics "${metrics[@]}" \
        --out "$report.metrics.json" --save-per-instance "runs/$1.$name.csv"
    figures "runs/figures/$1" "$refined" "$before" "$2" "$3"
    for ending in json md; do
        cp "runs/figures/$1/scatter.$ending" "$report.gains.$ending"
        cp "runs/figures/$1/failures.$ending" "$report.failures.$ending"
    done
    cp "runs/figures/$1/scatter.png" "docs/assets/scatter_$1.png" # points, no image
    bpr analyze upper-bound "$before" --ann "$3" --img-dir "$2" --out "$report.upper_bound.json"
    bpr analyze timing "$before" --ann "$3" --img-dir "$2" --model hrnet-w18s --out "$report.timing.json"
}
python -m benchmarks.painted_set runs/demo
refine runs/demo/coarse.segm.json runs/demo/images runs/demo/instances.json "runs/demo/$name.json"
figures runs/figures/demo "runs/demo/$name.json" runs/demo/coarse.segm.json runs/demo/images runs/demo/instances.json
cp runs/figures/demo/patches.png docs/assets/patches.png
bpr analyze schemes --out docs/assets/schemes.png

analyse davis_val "$data/davis/val" "$data/davis/annotations/instances_val.json"
analyse coco_val2017 "$data/coco/val2017" "$data/coco/annotations/instances_val2017.json"
