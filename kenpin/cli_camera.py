"""`kenpin camera`: profiles of cameras."""

from pathlib import Path
from typing import Annotated

import typer

camera_app = typer.Typer(rich_markup_mode=None, help="Camera profiles: what a lens does to a picture.")


@camera_app.callback()
def _group() -> None:
    """Keeps `calibrate` a command of its own name while it is the only one."""


@camera_app.command("calibrate")
def camera_calibrate(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures of one chessboard, tilted differently in each.")],
    square_mm: Annotated[float, typer.Option("--square-mm", help="Side of one square of the board, mm.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Profile to write (YAML).")],
) -> None:
    """Write a profile of the camera that took pictures of a chessboard."""
    from kenpin.camera import write_camera
    from kenpin.contracts.errors import FileRefused, ToolInputError
    from kenpin.session import photo
    from tools.measuring.boards import calibrate_camera

    try:
        found = calibrate_camera([photo(path).pixels for path in pictures], square_mm=square_mm)
    except ToolInputError as exc:
        raise FileRefused(str(exc)) from None
    write_camera(output, found.profile)
    for path, error in zip(pictures, found.errors_px, strict=True):
        typer.echo(f"{path.name}: " + ("not used: no whole board found, or off the model" if error is None
                                       else f"{error:.2f} px"))
    profile = found.profile
    typer.echo(f"{output}: {profile.width}x{profile.height} px, reprojection error {profile.reprojection_px:.2f} px "
               f"over {profile.pictures} pictures")
    if profile.pictures is not None and profile.pictures < 8:
        typer.echo("8 to 20 pictures with the board in every corner and tilted by up to 45 degrees make it better")
