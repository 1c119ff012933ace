# Sourced by train_starter.sh and train_hrnet.sh: splits the data into data/starter.
what="train splits of COCO (a subset), DAVIS, ECSSD, CCP, iCoseg, Berkeley; YOLOv8n-seg and synthetic coarse masks"

python -m benchmarks.training.split_data "$data" --out data/starter
mkdir -p data/starter/images
ln -sfn "$data/coco/train2017" data/starter/images/coco
ln -sfn "$data/davis/train" data/starter/images/davis
ln -sfn "$data/crisp/images" data/starter/images/crisp

refine_once() { # MODEL: masks to learn from, as a half-trained network refines them
    for name in coco davis crisp; do
        local masks="data/starter/${name}_learn"
        [ -f "$masks.refined.segm.json" ] || bpr refine "$masks.segm.json" --ann "$masks.instances.json" \
            --img-dir "data/starter/images/$name" --model "$1" --min-score 0.05 --out "$masks.refined.segm.json"
    done
}
