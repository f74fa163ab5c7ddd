"""Give setuptools the version and the description; everything else is in setup.cfg."""

import ast
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))


def read(*names):
    with open(os.path.join(HERE, *names), encoding="utf-8") as file:
        return file.read()


def version():
    """Read VERSION from the source.

    Importing the package would need its dependencies. They are not installed when the package is built, and setuptools
    before 66 imports the package for an ``attr:`` in setup.cfg.
    """
    for statement in ast.parse(read("blocking_request", "_version.py")).body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == "VERSION":
            return ast.literal_eval(statement.value)
    raise RuntimeError("blocking_request/_version.py does not assign VERSION")


def description():
    """Return README.rst for a package index, which has no other file of the repository.

    Links to files become their paths, and pictures and the comments that tests read are left out.
    """
    text = re.sub(r"^\.\. (?:image|test)::?.*\n(?:(?: +\S.*)?\n)*", "", read("README.rst"), flags=re.MULTILINE)
    return re.sub(r"`[^`<]+ <(?!https?:)([^`>]+)>`_", r"``\1``", text)


if __name__ == "__main__":
    from setuptools import setup  # here, so that the tests need none

    setup(version=version(), long_description=description())
