"""What colcon reads: metadata, files to install, and parameters."""

from __future__ import annotations

import ast
from configparser import ConfigParser
from dataclasses import fields
from xml.etree import ElementTree

import yaml

from tests.ros2.conftest import PACKAGE


def test_the_manifest_setup_and_marker_name_one_package() -> None:
    manifest = ElementTree.parse(PACKAGE / "package.xml").getroot()
    assert manifest.findtext("name") == "ferserve_ros"
    assert manifest.findtext("export/build_type") == "ament_python"
    assert (PACKAGE / "resource" / "ferserve_ros").is_file()
    config = ConfigParser()
    config.read(PACKAGE / "setup.cfg")
    assert config["install"]["install_scripts"] == config["develop"]["script_dir"] == "$base/lib/ferserve_ros"


def test_every_imported_package_of_ros_is_a_dependency() -> None:
    manifest = ElementTree.parse(PACKAGE / "package.xml").getroot()
    declared = {element.text for element in manifest.findall("exec_depend")}
    imported = set()
    for path in [*(PACKAGE / "ferserve_ros").glob("*.py"), *(PACKAGE / "launch").glob("*.py")]:
        for statement in ast.walk(ast.parse(path.read_text())):
            if isinstance(statement, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in statement.names}
            elif isinstance(statement, ast.ImportFrom):
                imported.add(str(statement.module).split(".")[0])
    standard = {"__future__", "collections", "dataclasses", "math", "random", "string", "threading", "time", "typing"}
    assert imported - standard - {"ferserve", "ferserve_ros"} <= declared | {"builtin_interfaces"}


def test_what_is_installed_is_there() -> None:
    setup = ast.parse((PACKAGE / "setup.py").read_text())
    names = {node.value for node in ast.walk(setup) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    for file in ("launch/ferserve.launch.py", "config/ferserve.yaml", "package.xml"):
        assert file in names
        assert (PACKAGE / file).is_file()


def test_the_file_of_parameters_has_each_with_its_default() -> None:
    from ferserve_ros.parameters import Parameters

    (file,) = yaml.safe_load((PACKAGE / "config" / "ferserve.yaml").read_text()).values()
    assert file["ros__parameters"] == {field.name: field.default for field in fields(Parameters)}
    described = (PACKAGE.parents[2] / "docs" / "ros2.md").read_text()
    assert all(f"| `{field.name}` |" in described for field in fields(Parameters))
