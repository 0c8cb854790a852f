// A box drawn on the picture, in whole pixels of the original upload: with the mouse, with a finger, with the keyboard.
// Follows stage.js in one script. What is sent is a wish: `ui/parts/drawing.py` checks it.
const LEAST = 3; // px, the smallest side of a box
const NEAR = { mouse: 8, pen: 10, touch: 18 }; // px on the screen at which an edge or a corner is taken hold of
const STILL = 4; // px on the screen; a shorter way of the pointer is a click, which draws nothing
const SMALL = 60; // px on the screen
const QUIET = 350; // ms after the last key until the box is sent
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const limit = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));

// The pixels that the way between two points touches, inside the picture and at least LEAST wide.
function spanned(a, b, most) {
  const low = limit(Math.floor(Math.min(a, b) + 1e-3), 0, most - 1);
  const high = limit(Math.ceil(Math.max(a, b) - 1e-3), low + 1, most);
  const start = Math.max(0, Math.min(low, most - LEAST));
  return high - low >= LEAST ? [low, high] : [start, Math.min(most, start + LEAST)];
}

function drawn(from, to, data) {
  const [x0, x1] = spanned(from.x, to.x, data.width);
  const [y0, y1] = spanned(from.y, to.y, data.height);
  return [x0, y0, x1, y1];
}

function moved([x0, y0, x1, y1], dx, dy, data) {
  const x = limit(x0 + dx, 0, data.width - (x1 - x0));
  const y = limit(y0 + dy, 0, data.height - (y1 - y0));
  return [x, y, x + x1 - x0, y + y1 - y0];
}

// `hold` names the edges that move: -1 left or top, 1 right or bottom, 0 none.
function resized([x0, y0, x1, y1], hold, to, data) {
  if (hold.x < 0) x0 = limit(to.x, 0, x1 - LEAST);
  if (hold.x > 0) x1 = limit(to.x, Math.min(x0 + LEAST, data.width), data.width);
  if (hold.y < 0) y0 = limit(to.y, 0, y1 - LEAST);
  if (hold.y > 0) y1 = limit(to.y, Math.min(y0 + LEAST, data.height), data.height);
  return [x0, y0, x1, y1];
}

function held([x0, y0, x1, y1], p, near) {
  if (p.x < x0 - near || p.x > x1 + near || p.y < y0 - near || p.y > y1 + near) return null;
  // In a small box the middle third moves and the rest resizes, so that both stay possible.
  const ax = Math.min(near, (x1 - x0) / 3), ay = Math.min(near, (y1 - y0) / 3);
  return {
    x: p.x < x0 + ax ? -1 : p.x > x1 - ax ? 1 : 0,
    y: p.y < y0 + ay ? -1 : p.y > y1 - ay ? 1 : 0,
  };
}

function cursor(hold) {
  if (!hold) return "crosshair";
  if (!hold.x && !hold.y) return "move";
  if (!hold.x) return "ns-resize";
  if (!hold.y) return "ew-resize";
  return hold.x === hold.y ? "nwse-resize" : "nesw-resize";
}

function sizeWords(box, scale) {
  if (!box) return "";
  const [w, h] = [box[2] - box[0], box[3] - box[1]];
  const mm = scale ? "  " + Number((w * scale).toPrecision(3)) + " × " + Number((h * scale).toPrecision(3)) + " mm" : "";
  return w + " × " + h + " px" + mm;
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".viewer");
  const edit = (root.kenpinEdit = root.kenpinEdit || { token: null, box: null, grip: null, fingers: new Map(), timer: 0, near: 8 });
  const fresh = edit.token !== data.token;
  if (fresh) {
    clearTimeout(edit.timer);
    Object.assign(edit, { token: data.token, box: data.box, grip: null, timer: 0 });
  }
  const size = root.querySelector(".size");
  const seen = stage(root, data, () => draft());
  const { svg, kept } = seen;
  const layer = node("g", { class: "draft" }, svg);
  root.classList.toggle("drawing", true);
  svg.setAttribute("tabindex", "0");
  svg.setAttribute("role", "application");
  svg.setAttribute("aria-label", data.alt + ". " + data.words.keys);

  function draft() {
    layer.replaceChildren();
    size.textContent = sizeWords(edit.box, data.mm_per_px);
    if (!edit.box) return;
    const unit = kept.frame.w / kept.frame.shown;
    const [x0, y0, x1, y1] = edit.box;
    const shape = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
    node("path", { class: "shade", "fill-rule": "evenodd",
      d: `M0 0H${data.width}V${data.height}H0ZM${x0} ${y0}H${x1}V${y1}H${x0}Z` }, layer);
    haloed("rect", shape, "own", layer);
    const side = 8 * unit;
    const narrow = x1 - x0 < 4 * side, low = y1 - y0 < 4 * side;
    for (const [fx, fy] of [[0, 0], [0.5, 0], [1, 0], [1, 0.5], [1, 1], [0.5, 1], [0, 1], [0, 0.5]]) {
      if ((fx === 0.5 && narrow) || (fy === 0.5 && low)) continue;
      const x = x0 + fx * (x1 - x0) - side / 2, y = y0 + fy * (y1 - y0) - side / 2;
      node("rect", { class: "handle", x, y, width: side, height: side }, layer);
    }
  }

  function send() {
    clearTimeout(edit.timer);
    edit.timer = 0;
    setStateValue("box", { of: data.token, box: edit.box });
  }

  function set(box) {
    edit.box = box;
    draft();
  }

  function release(event) {
    edit.fingers.delete(event.pointerId);
    const grip = edit.grip;
    if (edit.fingers.size === 0) edit.grip = null;
    if (!grip || grip.kind === "pan" || grip.kind === "pinch") return;
    if (event.type === "pointercancel" || (grip.kind === "draw" && !grip.began)) set(grip.before);
    else if (String(grip.before) !== String(edit.box)) send();
  }

  svg.onpointerdown = (event) => {
    svg.focus({ preventScroll: true });
    svg.setPointerCapture(event.pointerId);
    edit.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    const at = { x: event.clientX, y: event.clientY, frame: kept.frame };
    if (edit.fingers.size === 2) {
      // A second finger: what the first began was the beginning of a pinch.
      if (edit.grip && edit.grip.before !== undefined) set(edit.grip.before);
      edit.grip = pinch();
      return;
    }
    if (event.button !== 0 || event.altKey || event.shiftKey) {
      event.preventDefault();
      edit.grip = { kind: "pan", ...at };
      return;
    }
    const p = seen.point(event);
    const near = (NEAR[event.pointerType] || 8) * (kept.frame.w / kept.frame.shown);
    const hold = edit.box && held(edit.box, p, near);
    const kind = !hold ? "draw" : hold.x || hold.y ? "resize" : "move";
    edit.grip = { kind, hold, from: p, start: edit.box, before: edit.box, began: false, ...at };
  };

  function pinch() {
    const [a, b] = [...edit.fingers.values()];
    const apart = Math.max(Math.hypot(a.x - b.x, a.y - b.y), 1);
    const middle = seen.point({ clientX: (a.x + b.x) / 2, clientY: (a.y + b.y) / 2 });
    return { kind: "pinch", apart, middle, w: kept.frame.w };
  }

  function pinched(grip) {
    const [a, b] = [...edit.fingers.values()];
    if (!b) return;
    const w = (grip.w * grip.apart) / Math.max(Math.hypot(a.x - b.x, a.y - b.y), 1);
    const h = (w * kept.frame.h) / kept.frame.w;
    const box = svg.getBoundingClientRect();
    const fx = ((a.x + b.x) / 2 - box.left) / box.width, fy = ((a.y + b.y) / 2 - box.top) / box.height;
    seen.show({ x: grip.middle.x - fx * w, y: grip.middle.y - fy * h, w, h });
  }

  svg.onpointermove = (event) => {
    seen.tell(event);
    if (edit.fingers.has(event.pointerId)) edit.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    const grip = edit.grip;
    const p = seen.point(event);
    if (!grip) {
      const near = NEAR.mouse * (kept.frame.w / kept.frame.shown);
      svg.style.cursor = cursor(edit.box && held(edit.box, p, near));
      return;
    }
    if (grip.kind === "pan") seen.pan(grip, event);
    else if (grip.kind === "pinch") pinched(grip);
    else if (grip.kind === "move") set(moved(grip.start, Math.round(p.x - grip.from.x), Math.round(p.y - grip.from.y), data));
    else if (grip.kind === "resize") set(resized(grip.start, grip.hold, { x: Math.round(p.x), y: Math.round(p.y) }, data));
    else {
      grip.began = grip.began || Math.hypot(event.clientX - grip.x, event.clientY - grip.y) >= STILL;
      if (grip.began) set(drawn(grip.from, p, data));
    }
  };
  svg.onpointerup = svg.onpointercancel = release;
  svg.oncontextmenu = svg.ondblclick = (event) => event.preventDefault();

  function first() {
    const f = kept.frame;
    const x = limit(f.x + f.w / 2, 0, data.width), y = limit(f.y + f.h / 2, 0, data.height);
    const half = Math.max(Math.min(f.w, f.h) / 10, LEAST / 2);
    return drawn({ x: x - half, y: y - half }, { x: x + half, y: y + half }, data);
  }

  function typed(event) {
    const step = event.ctrlKey || event.metaKey ? 10 : 1;
    const arrow = ARROWS[event.key];
    if (arrow && edit.box) {
      const [dx, dy] = [arrow[0] * step, arrow[1] * step];
      const [, , x1, y1] = edit.box;
      const grown = () => resized(edit.box, { x: dx ? 1 : 0, y: dy ? 1 : 0 }, { x: x1 + dx, y: y1 + dy }, data);
      set(event.shiftKey ? grown() : moved(edit.box, dx, dy, data));
    } else if (event.key === "Enter" && !edit.box) set(first());
    else if (event.key === "Escape") {
      if (edit.grip) edit.grip = null;
      set(data.box);
    } else return false;
    return true;
  }

  svg.onkeydown = (event) => {
    const zooms = { "+": 1.5, ";": 1.5, "-": 1 / 1.5 };
    if (event.key in zooms) seen.zoom(zooms[event.key]);
    else if (event.key === "0") seen.fit();
    else if (typed(event)) {
      clearTimeout(edit.timer);
      edit.timer = setTimeout(send, QUIET);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  svg.onblur = () => edit.timer && send();

  // A box that is small on the screen is brought nearer, so that its edges can be taken hold of.
  function approach() {
    const [x0, y0, x1, y1] = data.box;
    const large = Math.max(x1 - x0, y1 - y0), f = kept.frame;
    if ((large / f.w) * f.shown >= SMALL) return;
    const w = 5 * large, h = (w * f.h) / f.w;
    seen.show({ x: (x0 + x1) / 2 - w / 2, y: (y0 + y1) / 2 - h / 2, w, h });
  }

  seen.open();
  if (fresh && data.box) approach();
  return seen.close;
}
