# The paper's network at 32 px, below the sizes that the paper compares.
_base_ = './bpr_hrnet-w18s_4xb8-160k_cityscapes-128x128.py'
model = dict(data_preprocessor=dict(input_side=32))
