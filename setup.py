import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

VERSION = next(
    line.split('"')[1] for line in Path("bpr/version.py").read_text().splitlines() if line.startswith("__version__")
)

TRAIN = [
    "torch>=2.1",
    "mmengine==0.10.7",
    "mmcv-lite==2.1.0",  # mmseg 1.2.2 asserts mmcv < 2.2; a full mmcv 2.1.0 works as well
    "mmsegmentation==1.2.2",
    "ftfy",  # mmseg imports ftfy and regex but declares neither
    "regex",
    "onnx",
    "onnxscript",
    "setuptools<81",  # mmengine imports pkg_resources
    "tensorboard",
]

CLASSIFIERS = [
    "Development Status :: 4 - Beta",
    "Intended Audience :: Science/Research",
    "Programming Language :: Python :: 3",
    *(f"Programming Language :: Python :: 3.{minor}" for minor in (10, 11, 12, 13)),
    "Topic :: Scientific/Engineering :: Image Recognition",
    "Typing :: Typed",
]


class BuildWithConfigs(build_py):
    """Copies configs and model index from beside the package to where OpenMMLab's tools search, inside the package."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "bpr", ".mim")
            shutil.copytree(
                "configs", target / "configs", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
            )
            shutil.copy("model-index.yml", target)


setup(
    name="boundary-patch-refinement",
    version=VERSION,
    description="Any instance masks in, better boundaries out: Boundary Patch Refinement",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    classifiers=CLASSIFIERS,
    keywords="instance segmentation, mask refinement, boundary, computer vision",
    packages=find_packages(include=["bpr", "bpr.*"]),
    package_data={"bpr": ["py.typed", "assets/*", "report/html/assets/*", "app/assets/*"]},
    cmdclass={"build_py": BuildWithConfigs},
    python_requires=">=3.10",
    install_requires=[
        "numpy>=1.26",
        "opencv-python-headless>=4.11",  # any other build does as well: they share the folder cv2 (bpr doctor)
        "pycocotools>=2.0.7",
        "onnxruntime>=1.18",
        "rich>=13.0",
    ],
    extras_require={
        "train": TRAIN,
        "mmdet": [*TRAIN, "mmdet==3.3.0"],
        "openvino": ["openvino"],
        "compiled": ["numba>=0.61.2"],  # the first version that supports numpy 2.2
        "cityscapes": ["cityscapesscripts>=2.2", "numpy<2.3"],
        "report": ["jinja2>=3", "matplotlib>=3.8"],
        "docs": ["mkdocs<2", "mkdocs-material>=9.5", "mkdocstrings[python]>=0.26", "ruff"],
        "app": ["flask>=3"],
        "cvat": ["cvat-sdk>=2.50"],  # the first version that takes a personal access token
        "fast-eval": ["faster-coco-eval"],
        "raster": ["tifffile>=2024.8", "zarr>=3; python_version >= '3.11'", "imagecodecs"],  # codecs: LZW, JPEG, ...
    },
    entry_points={"console_scripts": ["bpr = bpr.cli.main:entry"]},
)
