from pathlib import Path

from setuptools import find_packages, setup

VERSION = next(line.split('"')[1] for line in Path("bpr/__init__.py").read_text().splitlines() if line.startswith("__version__"))

TRAIN = [
    "torch>=2.1",
    "mmengine==0.10.7",
    "mmcv-lite==2.1.0",  # mmseg 1.2.2 asserts mmcv < 2.2; a full mmcv 2.1.0 serves as well
    "mmsegmentation==1.2.2",
    "ftfy",  # mmseg imports both and declares neither
    "regex",
    "onnx",
    "onnxscript",
    "setuptools<81",  # mmengine imports pkg_resources
    "tensorboard",
]

setup(
    name="bpr",
    version=VERSION,
    description="Any instance masks in, better boundaries out: Boundary Patch Refinement",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["bpr", "bpr.*"]),
    package_data={"bpr": ["py.typed", "assets/*", "visualization/report/assets/*", "app/assets/*"]},
    python_requires=">=3.10",
    install_requires=["numpy>=1.26", "opencv-python-headless>=4.9", "pycocotools>=2.0.7", "onnxruntime>=1.17", "rich>=13"],
    extras_require={
        "train": TRAIN,
        "mmdet": [*TRAIN, "mmdet==3.3.0"],
        "openvino": ["openvino"],
        "cityscapes": ["cityscapesscripts>=2.2", "numpy<2.3"],
        "report": ["jinja2>=3", "matplotlib>=3.8"],
        "app": ["flask>=3"],
        "fast-eval": ["faster-coco-eval"],
    },
    entry_points={"console_scripts": ["bpr = bpr.cli.main:entry"]},
)
