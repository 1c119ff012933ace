# Sourced by train_starter.sh and train_hrnet.sh: the parts to learn from and to choose by, in data/starter.
what="train splits of COCO (a subset), DAVIS, ECSSD, CCP, iCoseg, Berkeley; YOLOv8n-seg and synthetic coarse masks"

python benchmarks/hold_out.py "$data" --out data/starter
mkdir -p data/starter/images
ln -sfn "$data/coco/train2017" data/starter/images/coco
ln -sfn "$data/davis/train" data/starter/images/davis
ln -sfn "$data/crisp/images" data/starter/images/crisp

refine_once() { # MODEL: the masks to learn from, as a first pass of a half trained network leaves them
    for name in coco davis crisp; do
        local masks="data/starter/${name}_learn"
        [ -f "$masks.refined.segm.json" ] || bpr refine "$masks.segm.json" --ann "$masks.instances.json" \
            --img-dir "data/starter/images/$name" --model "$1" --passes 1 --min-score 0.05 --out "$masks.refined.segm.json"
    done
}
