// The picture viewer: look, zoom, drag. Follows stage.js in one script.
export default function ({ data, parentElement }) {
  const seen = stage(parentElement.querySelector(".viewer"), data);
  const { svg, kept } = seen;
  let drag = null;
  svg.onpointerdown = (event) => {
    drag = { x: event.clientX, y: event.clientY, frame: kept.frame };
    svg.setPointerCapture(event.pointerId);
  };
  svg.onpointerup = svg.onpointercancel = () => (drag = null);
  svg.onpointermove = (event) => {
    seen.tell(event);
    if (drag) seen.pan(drag, event);
  };
  svg.ondblclick = (event) => seen.zoom(2, seen.point(event));
  seen.open();
  return seen.close;
}
