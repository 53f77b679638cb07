"""Packaging. The components (packages, programs, …) travel inside the wheel as the default repository."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
COMPONENTS = (".cm", "env_templates", "package", "program", "soft")
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "ck_repo" / "__init__.py").read_text(encoding="utf-8"))[1]


class BuildWithComponents(build_py):
    """Copies the components beside the code; from a checkout they are used in place."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "ck_repo" / "default_repository"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        shutil.copy2(ROOT / ".ckr.json", target)
        for name in COMPONENTS:
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))


setup(
    name="ck-repo",
    version=VERSION,
    description="Workflow automation for the MLPerf Inference v1.0 object-detection benchmark, with CK's command line",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["ck_repo", "ck_repo.*"]),
    package_data={"ck_repo": ["py.typed"], "ck_repo.mlperf": ["*.json", "rounds/*.json"]},
    cmdclass={"build_py": BuildWithComponents},
    # the second name is there when stock CK, whose command is `ck` too, is in the same environment
    entry_points={"console_scripts": ["ck = ck_repo.start:main", "ck-repo = ck_repo.start:main"]},
    install_requires=[
        "filelock>=3.12",
        "imagesize>=1.4",
        "packaging>=23",
        "pyyaml>=6",
        "requests>=2.31",
        "rich>=13",
        "uv>=0.4",
        "virtualenv>=20.26",
    ],
    extras_require={
        # what the harness runs with, beside the tools of the tests
        "test": [
            "hypothesis",
            "ipykernel",
            "mlcommons-loadgen==4.1.30",
            "nbclient",
            "nbformat",
            "numpy>=1.24",
            "onnx",
            "onnxruntime>=1.17",
            "opencv-python-headless>=4.8",
            "pycocotools>=2.0.7",
            "pytest>=8",
        ],
        # the other frameworks: their tests are left out, saying so, where they are not installed
        "frameworks": [
            "ai-edge-litert",
            "onnxscript",
            "openvino>=2024.0",
            "safetensors>=0.4",
            "pillow>=10",
            "tensorflow-cpu>=2.16",
            "tf2onnx>=1.16",
            "torch>=2.4,<2.14",
        ],
        "lint": ["mypy", "ruff", "types-PyYAML", "types-requests"],
    },
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3",
        *[f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 14)],
    ],
)
