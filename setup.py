"""What pyproject.toml cannot say: files that stand at the top go into the package, and README goes
to a package index without what only a checkout has.

One source of truth: config.yaml, systemd/ and docs/ are where a reader of the repository looks for
them, and a wheel has copies inside `segued` (`segued.system.resources` finds either). Links would
break on Windows, copies in git would drift apart.
"""

import re
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
INSIDE = ("config.yaml", "systemd/*.in", "docs/*.md", "docs/osc/*")


class Build(build_py):
    """The packages, and copies of INSIDE within `segued`."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # then it is the checkout that is played from
            return
        for pattern in INSIDE:
            for source in sorted(HERE.glob(pattern)):
                target = Path(self.build_lib, "segued", source.relative_to(HERE))
                target.parent.mkdir(parents=True, exist_ok=True)
                self.copy_file(str(source), str(target))


def without_links(readme: str) -> str:
    """README for an index: pictures are left out and links into the repository become words."""
    readme = re.sub(r"^!\[[^]]*\]\([^)]*\)\n+", "", readme, flags=re.MULTILINE)
    return re.sub(r"\[([^]]+)\]\((?!https?:)[^)]*\)", r"\1", readme)


setup(
    cmdclass={"build_py": Build},
    long_description=without_links((HERE / "README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
)
