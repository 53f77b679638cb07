"""The build step that pyproject.toml cannot declare: the wheel contains the components (packages, programs, …).

They are the default repository of an installed ck. An editable installation uses those of the checkout.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
COMPONENTS = (".cm", "env_templates", "module", "os", "package", "program", "soft")


class BuildWithComponents(build_py):
    """Copy the components beside the code."""

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


setup(cmdclass={"build_py": BuildWithComponents})
