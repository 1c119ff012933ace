#!/usr/bin/env bash
# Int8 files of `starter` and `starter-fast` beside them, calibrated on what they were trained on:   benchmarks/quantize_starters.sh
# After benchmarks/train_starter.sh, which leaves the training part of the detections in data/starter. Two minutes.
# benchmarks/parity.py then measures them on DAVIS val, benchmarks/backend_speed.py times them.
set -euo pipefail
for model in starter starter-fast; do
    bpr quantize "bpr/assets/$model.onnx" --results data/starter/coco_learn.segm.json --ann data/starter/coco_learn.instances.json \
        --img-dir data/starter/images/coco --out "bpr/assets/$model.int8.onnx"
done
