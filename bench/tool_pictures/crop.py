"""`python -m bench.tool_pictures.crop` draws docs/pictures/tools/crop.webp."""

from bench.tool_pictures.seen import draw_view

if __name__ == "__main__":
    draw_view("crop")
