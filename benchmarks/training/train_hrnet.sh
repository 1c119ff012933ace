#!/usr/bin/env bash
# Train `hrnet-w18s` from scratch and export it:   benchmarks/training/train_hrnet.sh DATA
# DATA holds coco/, davis/, crisp/ and detections/ as described in docs/starter.md. Two CPU cores with bfloat16: two hours
# for the first network, at 64 and 96 px, and the rest of the day for the two that continue from it.
set -euo pipefail
data=$(realpath "$1")
first=(bpr_hrnet-w18s_2xb16-3500_starter-64x64 bpr_hrnet-w18s_2xb16-900_starter-96x96)
best=(bpr_hrnet-w18s_1xb32-2400_starter-128x128 bpr_hrnet-w18s_1xb32-1200_starter-128x128)
fast=bpr_hrnet-w18s_1xb32-1500_starter-64x64
. benchmarks/training/starter_data.sh
mkdir -p data/patches data/synthetic

cut() { # NAME KIND RESULTS ANN IMAGES
    [ -f "data/patches/$1_$2/manifest.json" ] ||
        bpr extract-patches "$3" --ann "$4" --img-dir "$5" --out "data/patches/$1_$2" --config "configs/${first[0]}.py"
}
prepare() { # NAME DETECTIONS ANN IMAGES COPIES
    cut "$1" real "$data/detections/$2.segm.json" "$data/$3" "$data/$4"
    local synthetic="data/synthetic/$1.segm.json"
    [ -f "$synthetic" ] || python tools/synthesize_masks.py "$data/$3" --copies "$5" --out "$synthetic"
    cut "$1" synth "$synthetic" "$data/$3" "$data/$4"
}
prepare coco coco_train2017 coco/annotations/instances_train2017.json coco/train2017 3
prepare davis davis_train davis/annotations/instances_train.json davis/train 6
prepare crisp crisp crisp/instances.json crisp/images 2

export OMP_NUM_THREADS=1
for config in "${first[@]}"; do
    torchrun --nproc-per-node 2 tools/train.py "configs/$config.py" --launcher pytorch --resume
done
cp "work_dirs/${first[1]}/iter_900.pth" data/starter/predecessor.pth

train() { bpr train "configs/$1.py" --amp --resume; }
train "${best[0]}" &
train $fast
refine_once "work_dirs/$fast/iter_1500.pth"
wait
train "${best[1]}"
bpr export "configs/${best[1]}.py" "work_dirs/${best[1]}/iter_1200.pth" --trained-on "$what" --out models/bpr_models/hrnet-w18s.onnx
(cd models/bpr_models && sha256sum -- *.onnx > SHA256SUMS)
