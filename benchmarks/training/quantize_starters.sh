#!/usr/bin/env bash
# Write int8 files of `starter` and `starter-fast`, calibrated on their training data:   benchmarks/training/quantize_starters.sh
# After train_starter.sh, which leaves that data in data/starter. Two minutes. Then measure them with
# benchmarks/studies/parity.py and backend_speed.py.
set -euo pipefail
for model in starter starter-fast; do
    python tools/quantize.py "bpr/assets/$model.onnx" --results data/starter/coco_learn.segm.json \
        --ann data/starter/coco_learn.instances.json --img-dir data/starter/images/coco --patches 768 --out "bpr/assets/$model.int8.onnx"
done
(cd bpr/assets && sha256sum -- *.onnx > SHA256SUMS)
