# Six stores. One that is listed n times is drawn from n times as often, so that about half of the samples are real.
_base_ = ['./patches.py', '../refinement/starter.py']
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    dataset=dict(
        stores=[
            'data/patches/coco_real', 'data/patches/coco_real', 'data/patches/coco_synth',
            'data/patches/davis_real', 'data/patches/davis_real', 'data/patches/davis_real', 'data/patches/davis_synth',
            'data/patches/crisp_real', 'data/patches/crisp_real', 'data/patches/crisp_synth',
        ],
        patch={{_base_.refinement.patch}}))
