#!/usr/bin/env bash
# Train the first starter model, from which the others go on, from scratch:   benchmarks/train_first_starter.sh DATA
# DATA holds coco/, davis/, crisp/ and detections/ as described in docs/starter.md. Two CPU cores, about two hours.
set -euo pipefail
data=$1
first=bpr_hrnet-w18s_2xb16-3500_starter-64x64
second=bpr_hrnet-w18s_2xb16-900_starter-96x96
mkdir -p data/patches data/synthetic

cut() { # NAME KIND RESULTS ANN IMAGES
    [ -f "data/patches/$1_$2/manifest.json" ] ||
        bpr extract-patches "$3" --ann "$4" --img-dir "$5" --out "data/patches/$1_$2" --config "configs/$first.py"
}
prepare() { # NAME DETECTIONS ANN IMAGES COPIES
    cut "$1" real "$2" "$3" "$4"
    [ -f "data/synthetic/$1.segm.json" ] || bpr synthesize-masks "$3" --copies "$5" --out "data/synthetic/$1.segm.json"
    cut "$1" synth "data/synthetic/$1.segm.json" "$3" "$4"
}
prepare coco "$data/detections/coco_train2017.segm.json" "$data/coco/annotations/instances_train2017.json" "$data/coco/train2017" 3
prepare davis "$data/detections/davis_train.segm.json" "$data/davis/annotations/instances_train.json" "$data/davis/train" 6
prepare crisp "$data/detections/crisp.segm.json" "$data/crisp/instances.json" "$data/crisp/images" 2

export OMP_NUM_THREADS=1
torchrun --nproc-per-node 2 tools/train.py "configs/$first.py" --launcher pytorch --resume
torchrun --nproc-per-node 2 tools/train.py "configs/$second.py" --launcher pytorch --resume
bpr export "configs/$second.py" "$(ls -t work_dirs/$second/iter_*.pth | head -1)" --out benchmarks/models/first_starter.onnx
