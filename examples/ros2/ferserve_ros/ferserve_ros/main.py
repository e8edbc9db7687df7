"""``ros2 run ferserve_ros expressions``."""

from __future__ import annotations

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from ferserve_ros.node import FerserveNode


def main() -> None:
    """Spin the node until it is told to end."""
    rclpy.init()
    node = FerserveNode()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.end_stream()  # no transition: after a signal ROS publishes nothing more
        node.destroy_node()
        rclpy.try_shutdown()
