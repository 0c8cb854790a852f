"""What an inspection started from, read back from its trace."""

from agent.inspector import Material, Photo
from kenpin.contracts.ports import PictureStore
from kenpin.contracts.trace import Trace, TraceImage


def material_of(trace: Trace, pictures: PictureStore) -> Material:
    """The same pictures, good samples, limits, scale, camera, product, lot and part; it names the old inspection.

    Raises:
        StoreError: A picture is missing or is not the stored one.
    """

    def photo(image: TraceImage) -> Photo:
        return Photo(pictures.get(image.sha256), upload_sha256=image.upload_sha256, notes=image.notes)

    subject, *others = trace.images
    return Material(
        subject=photo(subject),
        references=[photo(image) for image in others if image.role == "reference"],
        good=[Photo(pictures.get(sha256)) for sha256 in trace.good],
        mm_per_px=subject.mm_per_px,
        camera=trace.camera,
        criteria=trace.criteria,
        product=trace.product,
        lot=trace.lot,
        part=trace.part,
        lang=trace.lang,
        rerun_of=trace.id,
    )
