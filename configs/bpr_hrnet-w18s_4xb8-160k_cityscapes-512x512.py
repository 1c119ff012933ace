# The paper's network at 512 px, a row of the paper's comparison of input sizes.
_base_ = './bpr_hrnet-w18s_4xb8-160k_cityscapes-128x128.py'
model = dict(data_preprocessor=dict(input_side=512))
