"""Definitions of the messages that the node uses, field by field as their packages have them.

hri_msgs 0.9 and later for ROS 2 (github.com/ros4hri/hri_msgs), common_interfaces and rcl_interfaces of ROS 2 Humble and
Jazzy. Constants that nothing here uses are left out.
"""

DEFINITIONS = {
    "builtin_interfaces/Time": "int32 sec\nuint32 nanosec",
    "std_msgs/Header": "builtin_interfaces/Time stamp\nstring frame_id",
    "sensor_msgs/Image": """
        std_msgs/Header header
        uint32 height
        uint32 width
        string encoding
        uint8 is_bigendian
        uint32 step
        uint8[] data""",
    "sensor_msgs/CompressedImage": "std_msgs/Header header\nstring format\nuint8[] data",
    "sensor_msgs/RegionOfInterest": """
        uint32 x_offset
        uint32 y_offset
        uint32 height
        uint32 width
        bool do_rectify""",
    "sensor_msgs/CameraInfo": """
        std_msgs/Header header
        uint32 height
        uint32 width
        string distortion_model
        float64[] d
        float64[9] k
        float64[9] r
        float64[12] p
        uint32 binning_x
        uint32 binning_y
        sensor_msgs/RegionOfInterest roi""",
    "geometry_msgs/Vector3": "float64 x\nfloat64 y\nfloat64 z",
    "geometry_msgs/Quaternion": "float64 x\nfloat64 y\nfloat64 z\nfloat64 w",
    "geometry_msgs/Transform": "geometry_msgs/Vector3 translation\ngeometry_msgs/Quaternion rotation",
    "geometry_msgs/TransformStamped": """
        std_msgs/Header header
        string child_frame_id
        geometry_msgs/Transform transform""",
    "diagnostic_msgs/KeyValue": "string key\nstring value",
    "diagnostic_msgs/DiagnosticStatus": """
        byte OK=0
        byte WARN=1
        byte ERROR=2
        byte STALE=3
        byte level
        string name
        string message
        string hardware_id
        diagnostic_msgs/KeyValue[] values""",
    "diagnostic_msgs/DiagnosticArray": "std_msgs/Header header\ndiagnostic_msgs/DiagnosticStatus[] status",
    "hri_msgs/IdsList": "std_msgs/Header header\nstring[] ids",
    "hri_msgs/NormalizedRegionOfInterest2D": """
        std_msgs/Header header
        float32 xmin
        float32 ymin
        float32 xmax
        float32 ymax
        float32 c""",
    "hri_msgs/NormalizedPointOfInterest2D": "float32 x\nfloat32 y\nfloat32 c",
    "hri_msgs/FacialLandmarks": """
        uint8 RIGHT_PUPIL=68
        uint8 LEFT_PUPIL=69
        uint8 NOSE=30
        uint8 MOUTH_OUTER_RIGHT=48
        uint8 MOUTH_OUTER_LEFT=54
        std_msgs/Header header
        hri_msgs/NormalizedPointOfInterest2D[70] landmarks
        uint32 height
        uint32 width""",
    "hri_msgs/Expression": """
        string NEUTRAL="neutral"
        string ANGRY="angry"
        string SAD="sad"
        string HAPPY="happy"
        string SURPRISED="surprised"
        string DISGUSTED="disgusted"
        string SCARED="scared"
        string PLEADING="pleading"
        string VULNERABLE="vulnerable"
        string DESPAIRED="despaired"
        string GUILTY="guilty"
        string DISAPPOINTED="disappointed"
        string EMBARRASSED="embarrassed"
        string HORRIFIED="horrified"
        string SKEPTICAL="skeptical"
        string ANNOYED="annoyed"
        string FURIOUS="furious"
        string SUSPICIOUS="suspicious"
        string REJECTED="rejected"
        string BORED="bored"
        string TIRED="tired"
        string ASLEEP="asleep"
        string CONFUSED="confused"
        string AMAZED="amazed"
        string EXCITED="excited"
        std_msgs/Header header
        string expression
        float32 valence
        float32 arousal
        float32 confidence""",
}
