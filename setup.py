"""The build step that pyproject.toml cannot declare: the wheel contains the components (packages, programs, …).

They are the default repository of an installed ck. An editable installation uses those of the checkout. The commit of a
checkout is kept in the wheel and in the source distribution, so that experiments can record it.
"""

import json
import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
COMPONENTS = (".cm", "env_templates", "module", "os", "package", "program", "soft")
BUILT_FROM = ".built_from.json"  # read by ck_repo/store/git_state.py


def built_from():
    """The commit of this checkout, and whether files were changed since, as JSON; empty outside git.

    A source distribution has the file of the checkout that it was made from.
    """
    if (ROOT / BUILT_FROM).is_file():
        return (ROOT / BUILT_FROM).read_text(encoding="utf-8")
    if not (ROOT / ".git").exists():
        return ""
    try:
        commit, changes = (
            subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--", "."))
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return json.dumps({"commit": commit, "changed": bool(changes)}) + "\n"


class SourceWithCommit(sdist):
    """Write the commit beside the sources."""

    def make_release_tree(self, base_dir, files):
        found = built_from()  # before the tree is made in the checkout
        super().make_release_tree(base_dir, files)
        if found:
            Path(base_dir, BUILT_FROM).write_text(found, encoding="utf-8")


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
        if found := built_from():
            (target / BUILT_FROM).write_text(found, encoding="utf-8")


setup(cmdclass={"build_py": BuildWithComponents, "sdist": SourceWithCommit})
