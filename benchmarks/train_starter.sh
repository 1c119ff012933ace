#!/usr/bin/env bash
# Train `starter` and `starter-fast`, on from the first starter, and export both:   benchmarks/train_starter.sh DATA
# DATA holds coco/, davis/, crisp/ and detections/ as described in docs/starter.md. One CPU core with bfloat16 each.
set -euo pipefail
data=$(realpath "$1")
best=bpr_hrnet-w18s_1xb32-2400_starter-128x128
fast=bpr_hrnet-w18s_1xb32-1500_starter-64x64
what="train splits of COCO (a subset), DAVIS, ECSSD, CCP, iCoseg, Berkeley; YOLOv8n-seg and synthetic coarse masks"

python benchmarks/hold_out.py "$data" --out data/starter
mkdir -p data/starter/images
ln -sfn "$data/coco/train2017" data/starter/images/coco
ln -sfn "$data/davis/train" data/starter/images/davis
ln -sfn "$data/crisp/images" data/starter/images/crisp
bpr convert-checkpoint "configs/$best.py" benchmarks/models/first_starter.onnx --out data/starter/predecessor.pth

train() { # CONFIG ITERATIONS NAME
    OMP_NUM_THREADS=1 bpr train "configs/$1.py" --amp --resume
    bpr export "configs/$1.py" "work_dirs/$1/iter_$2.pth" --trained-on "$what" --out "bpr/assets/$3.onnx"
}
train $best 2400 starter &
train $fast 1500 starter-fast
wait
