"""Where frames come from: pictures, videos, cameras, URLs, and any iterable of pictures."""
