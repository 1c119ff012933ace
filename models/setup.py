"""The second wheel: models that the first one leaves out. It holds files alone and needs nothing but that first one."""

from setuptools import setup

VERSION = "0.2.0"

setup(
    name="boundary-patch-refinement-models",
    version=VERSION,
    description="More models for boundary-patch-refinement",
    long_description="`bpr doctor` lists these models with their licences. Each has its own: see config.json.",
    long_description_content_type="text/markdown",
    license="of each model, in config.json",
    packages=["bpr_models"],
    package_data={"bpr_models": ["*.onnx", "*.md", "config.json", "parity.json", "SHA256SUMS"]},
    python_requires=">=3.10",
    install_requires=[f"boundary-patch-refinement=={VERSION}"],
)
