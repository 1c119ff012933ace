#!/usr/bin/env bash
# Train `starter` and `starter-fast`, on from the first starter, and export both:   benchmarks/train_starter.sh DATA
# DATA holds coco/, davis/, crisp/ and detections/ as described in docs/starter.md. One CPU core with bfloat16 each.
set -euo pipefail
data=$(realpath "$1")
best=(bpr_hrnet-w18s_1xb32-2400_starter-128x128 bpr_hrnet-w18s_1xb32-1200_starter-128x128)
fast=(bpr_hrnet-w18s_1xb32-1500_starter-64x64 bpr_hrnet-w18s_1xb32-600_starter-64x64)
what="train splits of COCO (a subset), DAVIS, ECSSD, CCP, iCoseg, Berkeley; YOLOv8n-seg and synthetic coarse masks"

python benchmarks/hold_out.py "$data" --out data/starter
mkdir -p data/starter/images
ln -sfn "$data/coco/train2017" data/starter/images/coco
ln -sfn "$data/davis/train" data/starter/images/davis
ln -sfn "$data/crisp/images" data/starter/images/crisp
bpr convert-checkpoint "configs/${best[0]}.py" benchmarks/models/first_starter.onnx --out data/starter/predecessor.pth

export OMP_NUM_THREADS=1
train() { bpr train "configs/$1.py" --amp --resume; }
publish() { # CONFIG ITERATIONS NAME
    bpr export "configs/$1.py" "work_dirs/$1/iter_$2.pth" --trained-on "$what" --out "bpr/assets/$3.onnx"
}
refine_once() { # NAME: the masks to learn from, as a first pass of the half trained network leaves them
    local masks="data/starter/$1_learn"
    [ -f "$masks.refined.segm.json" ] || bpr refine "$masks.segm.json" --ann "$masks.instances.json" --img-dir "data/starter/images/$1" \
        --model "work_dirs/${fast[0]}/iter_1500.pth" --min-score 0.05 --out "$masks.refined.segm.json"
}
train "${best[0]}" &
train "${fast[0]}"
for name in coco davis crisp; do refine_once $name; done
wait
train "${best[1]}" &
train "${fast[1]}"
wait
publish "${best[1]}" 1200 starter
publish "${fast[1]}" 600 starter-fast
