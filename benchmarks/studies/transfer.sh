#!/usr/bin/env bash
# Train on the masks of one detector, refine those of another (supplement, table S1):   benchmarks/studies/transfer.sh DATA [ITERATIONS]
# Three detectors: `yolo`, whose results lie in DATA/detections; `mask_head` and `polygon`, made from ground truth. One network
# is trained on each; all three refine the masks of all three on DAVIS val and COCO val. Finished steps are skipped. The numbers
# of `bpr eval` are in runs/transfer/TRAINED_refines_REFINED_SET.json; docs/results/transfer.md has the table of 600 iterations.
set -euo pipefail
data=$1 iterations=${2:-600} work=runs/transfer
config=configs/bpr_mobilenet-v2_1xb32-320_transfer-64x64.py
detectors=(yolo mask_head polygon)
declare -A annotations=([davis_train]=davis/annotations/instances_train [coco_train2017]=coco/annotations/instances_train2017
    [davis_val]=davis/annotations/instances_val [coco_val2017]=coco/annotations/instances_val2017)
declare -A images=([davis_train]=davis/train [coco_train2017]=coco/train2017 [davis_val]=davis/val [coco_val2017]=coco/val2017)

masks() { # DETECTOR SET: the results file of a detector, made if it is missing
    [ "$1" = yolo ] && { echo "$data/detections/$2.segm.json"; return; }
    local out="$work/masks/$1_$2.segm.json"
    [ -f "$out" ] || bpr synthesize-masks "$data/${annotations[$2]}.json" --way "$1" --out "$out" >&2
    echo "$out"
}
train() { # DETECTOR
    [ -f "$work/train/$1/iter_$iterations.pth" ] && return
    for set in coco_train2017 davis_train; do
        [ -f "$work/patches/$1_$set/manifest.json" ] || bpr extract-patches "$(masks "$1" $set)" --config "$config" \
            --ann "$data/${annotations[$set]}.json" --img-dir "$data/${images[$set]}" --out "$work/patches/$1_$set"
    done
    local warm=$((iterations / 20 + 1)) stores="[$work/patches/$1_coco_train2017,$work/patches/$1_davis_train]"
    bpr train "$config" --amp --resume --work-dir "$work/train/$1" --cfg-options "train_dataloader.dataset.stores=$stores" \
        "train_cfg.max_iters=$iterations" "param_scheduler.0.end=$warm" "param_scheduler.1.begin=$warm" \
        "param_scheduler.1.end=$iterations" "default_hooks.checkpoint.interval=$iterations"
}
for trained in "${detectors[@]}"; do
    train "$trained"
    for refined in "${detectors[@]}"; do
        for set in davis_val coco_val2017; do
            cell="$work/${trained}_refines_${refined}_$set"
            files=(--ann "$data/${annotations[$set]}.json")
            [ -f "$cell.json" ] && continue
            bpr refine "$(masks "$refined" $set)" "${files[@]}" --img-dir "$data/${images[$set]}" --min-score 0.05 \
                --model "$work/train/$trained/iter_$iterations.pth" --out "$cell.segm.json"
            bpr eval "$cell.segm.json" "${files[@]}" --before "$(masks "$refined" $set)" --metrics matched --out "$cell.json"
        done
    done
done
