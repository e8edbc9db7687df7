"""``ferserve.v1.AdminService``, and the watch of the repository of models."""
