"""Facial expressions from ferserve for ROS 2, in the words of ROS4HRI (REP-155)."""
