"""`python -m bench.tool_pictures.zoom` draws docs/pictures/tools/zoom.webp."""

from bench.tool_pictures.seen import draw_view

if __name__ == "__main__":
    draw_view("zoom")
