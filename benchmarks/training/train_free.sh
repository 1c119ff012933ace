#!/usr/bin/env bash
# Train `starter-free` and `starter-free-fast` on cleared images alone:   benchmarks/training/train_free.sh DATA WEIGHTS.npz
# As train_starter.sh, which says what DATA and WEIGHTS are. An hour and a half on one core with bfloat16.
set -euo pipefail
data=$(realpath "$1")
what="COCO images under CC BY, CC BY-SA or no restriction, DAVIS sequences of its authors, CCP; ImageNet before"
python -m benchmarks.training.split_data "$data" --out data/free --cleared
mkdir -p data/free/images
ln -sfn "$data/coco/train2017" data/free/images/coco
ln -sfn "$data/davis/train" data/free/images/davis
ln -sfn "$data/davis16/images" data/free/images/davis16
ln -sfn "$data/crisp/images" data/free/images/crisp
cp "$2" data/free/mobilenetv2_100_imagenet.npz

free=bpr_mobilenet-v2-detail_1xb32
for part in 4000_free-64x64 2000_free-128x128 2400_free-128x128 1200_free-64x64; do
    OMP_NUM_THREADS=1 python tools/train.py configs/$free-$part.py --amp --resume
done
publish() { # CONFIG CHECKPOINT NAME
    bpr export "configs/$1.py" "$2" --trained-on "$what" --out "data/free/$3.onnx"
    python tools/fit_verdict.py configs/_base_/datasets/verdict_free_masks.py "data/free/$3.onnx" --out "models/bpr_models/$3.onnx"
    python tools/quantize.py "models/bpr_models/$3.onnx" --results data/free/coco_learn.segm.json \
        --ann data/free/coco_learn.instances.json --img-dir data/free/images/coco --patches 768 --out "models/bpr_models/$3.int8.onnx"
}
python tools/synthesize_masks.py data/free/coco_learn.instances.json --out data/free/coco_learn.segm.json
publish $free-2400_free-128x128 work_dirs/$free-2400_free-128x128/iter_2400.pth starter-free
publish $free-1200_free-64x64 work_dirs/$free-1200_free-64x64/iter_1200.pth starter-free-fast
(cd models/bpr_models && sha256sum -- *.onnx > SHA256SUMS)
