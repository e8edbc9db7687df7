"""The package for colcon: ``colcon build --packages-select ferserve_ros``."""

from setuptools import setup

PACKAGE = "ferserve_ros"

setup(
    name=PACKAGE,
    version="0.2.0",
    packages=[PACKAGE],
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        (f"share/{PACKAGE}/launch", ["launch/ferserve.launch.py"]),
        (f"share/{PACKAGE}/config", ["config/ferserve.yaml"]),
    ],
    install_requires=["setuptools", "ferserve-client"],
    zip_safe=True,
    description="Facial expressions and head poses from ferserve, as ROS4HRI wants them",
    license="Apache-2.0",
    entry_points={"console_scripts": [f"expressions = {PACKAGE}.main:main"]},
)
