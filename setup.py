"""Packaging. Tool settings are in pyproject.toml; why each dependency is here, in BUILD.md."""

import pathlib
import re

import setuptools

HERE = pathlib.Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "iam_writer/__init__.py").read_text()).group(1)

setuptools.setup(
    name="iam_writer",
    version=VERSION,
    description="Who wrote this? Writer identification on IAM, and a tf.data pipeline at the speed of memory.",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    packages=setuptools.find_packages(include=["iam_writer", "iam_writer.*", "pipelines", "pipelines.*"]),
    package_data={"iam_writer": ["README.md", "CITATIONS.bib", "TAGS.txt", "flagfiles/*.flags"]},
    python_requires=">=3.11",
    install_requires=[
        "tensorflow>=2.20,<2.22",
        "tensorflow-datasets>=4.9.9,<5",
        "importlib_resources>=6,<8",
        "keras>=3.12,<4",
        "numpy>=1.26,<3",
        "absl-py>=2.1,<3",
        "filelock>=3.16,<5",
        "Hershey-Fonts>=2.1,<3",
        "opencv-python-headless>=4.10,<6",
        "pillow>=10.3,<14",
        "psutil>=5.9,<8",
        "tensorboard>=2.19,<3",
        "tqdm>=4.66,<5",
    ],
    extras_require={
        "baseline": ["scikit-learn>=1.4,<2"],
        "heic": ["pillow-heif>=0.18,<2"],
        "export": ["ai-edge-litert>=2,<3", "onnxruntime>=1.20,<2", "tf2onnx>=1.17,<2"],
        "gpu": ["tensorflow[and-cuda]>=2.20,<2.22"],
        "jax": ["jax>=0.5,<1"],
        "beam": ["apache-beam>=2.65,<3", "mlcroissant>=1,<2"],
        "peers": [
            "grain>=0.2.12,<0.3",
            "matplotlib>=3.8,<4",
            "numba>=0.61,<1",
            "nvidia-dali-cuda120>=2,<3; sys_platform == 'linux'",
            "torch>=2.6,<3",
        ],
        "report": ["matplotlib>=3.8,<4"],
        "test": [
            "ai-edge-litert>=2,<3",
            "apache-beam>=2.65,<3",
            "dill>=0.3.8,<1",
            "ipykernel>=6.29,<8",
            "jax>=0.5,<1",
            "matplotlib>=3.8,<4",
            "nbclient>=0.10,<1",
            "nbformat>=5.10,<6",
            "onnxruntime>=1.20,<2",
            "pytest>=8,<10",
            "ruff>=0.9,<1",
            "scikit-learn>=1.4,<2",
            "tf2onnx>=1.17,<2",
        ],
    },
)
