"""Give setuptools the version; everything else is in setup.cfg."""

import ast
import os

from setuptools import setup


def version():
    """Read VERSION from the source.

    Importing the package would need its dependencies. They are not installed when the package is built, and setuptools
    before 66 imports the package for an ``attr:`` in setup.cfg.
    """
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "blocking_request", "_version.py")
    with open(path, encoding="utf-8") as file:
        module = ast.parse(file.read())
    for statement in module.body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == "VERSION":
            return ast.literal_eval(statement.value)
    raise RuntimeError("blocking_request/_version.py does not assign VERSION")


setup(version=version())
