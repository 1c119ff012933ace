#!/usr/bin/env bash
# Train `starter` and `starter-fast` from ImageNet weights, and export both:   benchmarks/training/train_starter.sh DATA WEIGHTS.npz
# DATA holds coco/, davis/, crisp/ and detections/ as described in docs/starter.md, WEIGHTS a folded MobileNetV2 (docs/models.md).
# Two CPU cores with bfloat16: an hour and a half. One of the two trainings whose weights are averaged needs a GPU (8 minutes of
# an H200) or half a day of the two cores.
set -euo pipefail
data=$(realpath "$1")
narrow=bpr_mobilenet-v2_2xb16-6000_starter-64x64
short=bpr_mobilenet-v2_2xb16-3000_starter-128x128
long=bpr_mobilenet-v2_1xb256-8600_starter-128x128
best=bpr_mobilenet-v2_2xb16-600_starter-128x128
fast=bpr_mobilenet-v2_2xb16-1200_starter-64x64
. benchmarks/training/starter_data.sh
cp "$2" data/starter/mobilenetv2_100_imagenet.npz

train() { OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 tools/train.py "configs/$1.py" --launcher pytorch --amp --resume; }
average() { # CONFIG FROM... TO
    python tools/average_checkpoints.py "configs/$1.py" "${@:2:$#-2}" --batches 200 --out "${@: -1}"
}
publish() { # CONFIG CHECKPOINT NAME
    bpr export "configs/$1.py" "$2" --trained-on "$what; ImageNet before" --out "bpr/assets/$3.onnx"
}
train $narrow
bpr export configs/$narrow.py work_dirs/$narrow/iter_6000.pth --out data/starter/narrow.onnx
refine_once data/starter/narrow.onnx
train $short
python tools/train.py configs/$long.py --amp --resume
average $short work_dirs/$long/iter_8600.pth work_dirs/$short/iter_3000.pth data/starter/averaged.pth
train $best
average $best work_dirs/$best/iter_600.pth data/starter/averaged.pth data/starter/starter.pth
train $fast
# From here on with masks of all makers, on one core (6 hours), and with a head that sees every pixel.
cp work_dirs/$fast/iter_1200.pth data/starter/start-64.pth
any=bpr_mobilenet-v2-detail_1xb32
for part in 6000_any-mask-64x64 3200_any-mask-128x128 2800_any-mask-128x128 1500_any-mask-64x64; do
    python tools/train.py configs/${any}-$part.py --amp --resume
done
publish ${any}-2800_any-mask-128x128 work_dirs/${any}-2800_any-mask-128x128/iter_2800.pth starter
publish ${any}-1500_any-mask-64x64 work_dirs/${any}-1500_any-mask-64x64/iter_1500.pth starter-fast
for name in starter starter-fast; do
    python tools/fit_verdict.py configs/_base_/datasets/verdict_any_masks.py bpr/assets/$name.onnx --out data/starter/$name.onnx
    mv data/starter/$name.onnx bpr/assets/$name.onnx
done
(cd bpr/assets && sha256sum -- *.onnx > SHA256SUMS)
