#!/usr/bin/env bash
# Train `hrnet-w18s`, on from the first starter, and export it:   benchmarks/train_hrnet.sh DATA
# DATA holds coco/, davis/, crisp/ and detections/ as described in docs/starter.md. Two CPU cores with bfloat16, one for each network.
set -euo pipefail
data=$(realpath "$1")
best=(bpr_hrnet-w18s_1xb32-2400_starter-128x128 bpr_hrnet-w18s_1xb32-1200_starter-128x128)
fast=bpr_hrnet-w18s_1xb32-1500_starter-64x64
. benchmarks/starter_data.sh

bpr convert-checkpoint "configs/${best[0]}.py" benchmarks/models/first_starter.onnx --out data/starter/predecessor.pth
export OMP_NUM_THREADS=1
train() { bpr train "configs/$1.py" --amp --resume; }
train "${best[0]}" &
train $fast
refine_once "work_dirs/$fast/iter_1500.pth"
wait
train "${best[1]}"
bpr export "configs/${best[1]}.py" "work_dirs/${best[1]}/iter_1200.pth" --trained-on "$what" --out bpr/assets/hrnet-w18s.onnx
