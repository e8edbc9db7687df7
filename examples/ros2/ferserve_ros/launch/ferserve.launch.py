"""Start, configure and activate the node: ``ros2 launch ferserve_ros ferserve.launch.py image:=/camera/image_raw``."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, RegisterEventHandler
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.substitutions import FindPackageShare
from lifecycle_msgs.msg import Transition

ARGUMENTS = {
    "target": ("127.0.0.1:50051", "address of the server of ferserve"),
    "image": ("/camera/image_raw", "topic of the pictures; with compressed, without its ending /compressed"),
    "camera_info": ("/camera/camera_info", "topic of the camera's calibration"),
}


def generate_launch_description() -> LaunchDescription:
    """The node with its parameters, its topics and its two transitions."""
    config = PathJoinSubstitution([FindPackageShare("ferserve_ros"), "config", "ferserve.yaml"])
    node = LifecycleNode(
        package="ferserve_ros",
        executable="expressions",
        name="ferserve",
        namespace="",
        output="screen",
        parameters=[config, {"target": LaunchConfiguration("target")}],
        remappings=[
            ("image", LaunchConfiguration("image")),
            ("image/compressed", [LaunchConfiguration("image"), "/compressed"]),
            ("camera_info", LaunchConfiguration("camera_info")),
        ],
    )

    def change(transition: int) -> EmitEvent:
        return EmitEvent(event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition))

    activate = OnStateTransition(
        target_lifecycle_node=node,
        start_state="configuring",
        goal_state="inactive",
        entities=[change(Transition.TRANSITION_ACTIVATE)],
    )
    arguments = [
        DeclareLaunchArgument(name, default_value=value, description=text) for name, (value, text) in ARGUMENTS.items()
    ]
    return LaunchDescription(
        [*arguments, RegisterEventHandler(activate), node, change(Transition.TRANSITION_CONFIGURE)]
    )
