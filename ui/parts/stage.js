// What the viewer and the drawing field share: one SVG in pixels of the original upload, so boxes and lines stay exact
// at any zoom. Everything that came from outside arrives as data and is set as text or numbers, never as markup.
const SVG = "http://www.w3.org/2000/svg";
const LABEL_PX = 13;
const TONES = ["finding", "step", "frame", "accepted", "corrected", "refuted", "missed"];

function node(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  parent.appendChild(made);
  return made;
}

function haloed(name, shape, tone, parent) {
  node(name, { ...shape, class: "halo" }, parent);
  return node(name, { ...shape, class: "mark " + tone }, parent);
}

function drawMarks(group, data) {
  group.replaceChildren();
  const pad = Math.max(data.width, data.height) / 300;
  for (const mark of data.marks) {
    const [x0, y0, x1, y1] = mark.box;
    const tone = TONES.includes(mark.tone) ? mark.tone : "step";
    if (mark.outline && mark.outline.length > 2) {
      haloed("polygon", { points: mark.outline.map((p) => p.join(",")).join(" ") }, tone, group);
    }
    haloed("rect", { x: x0 - pad, y: y0 - pad, width: x1 - x0 + 2 * pad, height: y1 - y0 + 2 * pad }, tone, group);
    if (mark.line && mark.line.length > 1) {
      haloed("polyline", { points: mark.line.map((p) => p.join(",")).join(" ") }, "line", group);
    }
    if (mark.label) {
      const tag = node("g", { class: "tag " + tone, "data-x": x0 - pad, "data-y": y0 - pad, "data-low": y1 + pad }, group);
      node("rect", { rx: 3 }, tag);
      node("text", {}, tag).textContent = mark.label;
    }
  }
}

function placeTags(group, frame) {
  const unit = frame.w / frame.shown;
  const taken = [];
  for (const tag of group.querySelectorAll(".tag")) {
    const [back, text] = tag.children;
    const size = LABEL_PX * unit;
    text.style.fontSize = size + "px";
    const width = text.getComputedTextLength() + size * 0.7;
    const height = size * 1.4;
    let y = Number(tag.dataset.y) - height - 2 * unit;
    if (y < frame.y) y = Math.min(Number(tag.dataset.low) + 2 * unit, frame.y + frame.h - height);
    const x = Math.max(frame.x, Math.min(Number(tag.dataset.x), frame.x + frame.w - width));
    // A label never hides another: it moves up past those that stand where it would, and at the edge down.
    const hit = () => taken.find((o) => x < o.x + o.width && o.x < x + width && y < o.y + o.height && o.y < y + height);
    let up = true;
    for (let other = hit(), tries = 0; other && tries < 80; other = hit(), tries++) {
      up = up && other.y - height - 2 * unit >= frame.y;
      y = up ? other.y - height - 2 * unit : other.y + other.height + 2 * unit;
    }
    taken.push({ x, y, width, height });
    for (const [key, value] of Object.entries({ x, y, width, height, rx: 3 * unit })) back.setAttribute(key, value);
    text.setAttribute("x", x + size * 0.35);
    text.setAttribute("y", y + size * 1.05);
  }
}

// The picture, its marks and the part of it that is in sight. `onFrame` is called whenever that part changes.
function stage(root, data, onFrame = () => {}) {
  const svg = root.querySelector(".stage");
  const place = root.querySelector(".place");
  const kept = (root.kenpin = root.kenpin || { key: null, frame: null, marks: true });
  svg.replaceChildren();
  svg.setAttribute("aria-label", data.alt);
  const image = node("image", { width: data.width, height: data.height, preserveAspectRatio: "none" }, svg);
  const fill = () => window.kenpinPictures?.has(data.key) && image.setAttribute("href", window.kenpinPictures.get(data.key));
  window.addEventListener("kenpin-picture", fill);
  fill();
  const marks = node("g", {}, svg);
  drawMarks(marks, data);

  const whole = { x: 0, y: 0, w: data.width, h: data.height };
  if (kept.key !== data.key) kept.frame = null;
  kept.key = data.key;

  function show(frame) {
    const box = svg.getBoundingClientRect();
    const ratio = box.width && box.height ? box.width / box.height : data.width / data.height;
    const w = Math.min(Math.max(frame.w, 12), Math.max(whole.w, whole.h * ratio));
    const next = { w, h: w / ratio, shown: Math.max(box.width, 1) };
    const middle = { x: frame.x + frame.w / 2, y: frame.y + frame.h / 2 };
    next.x = next.w >= whole.w ? (whole.w - next.w) / 2 : Math.min(Math.max(middle.x - next.w / 2, 0), whole.w - next.w);
    next.y = next.h >= whole.h ? (whole.h - next.h) / 2 : Math.min(Math.max(middle.y - next.h / 2, 0), whole.h - next.h);
    kept.frame = next;
    svg.setAttribute("viewBox", [next.x, next.y, next.w, next.h].join(" "));
    image.style.imageRendering = next.shown / next.w > 3 ? "pixelated" : "auto";
    root.classList.toggle("zoomed", next.w < whole.w * 0.999 && next.h < whole.h * 0.999);
    placeTags(marks, next);
    onFrame(next);
  }

  function fit() {
    const box = svg.getBoundingClientRect();
    const ratio = box.width && box.height ? box.width / box.height : data.width / data.height;
    const w = Math.max(whole.w, whole.h * ratio);
    show({ x: (whole.w - w) / 2, y: (whole.h - w / ratio) / 2, w, h: w / ratio });
  }

  function zoom(factor, at) {
    const f = kept.frame;
    const p = at || { x: f.x + f.w / 2, y: f.y + f.h / 2 };
    show({ x: p.x - (p.x - f.x) / factor, y: p.y - (p.y - f.y) / factor, w: f.w / factor, h: f.h / factor });
  }

  function point(event) {
    const box = svg.getBoundingClientRect();
    const f = kept.frame;
    return { x: f.x + ((event.clientX - box.left) / box.width) * f.w, y: f.y + ((event.clientY - box.top) / box.height) * f.h };
  }

  function pan(from, event) {
    const unit = from.frame.w / from.frame.shown;
    show({ ...from.frame, x: from.frame.x - (event.clientX - from.x) * unit, y: from.frame.y - (event.clientY - from.y) * unit });
  }

  function tell(event) {
    const p = point(event);
    const inside = p.x >= 0 && p.y >= 0 && p.x < data.width && p.y < data.height;
    place.textContent = inside ? "x " + Math.floor(p.x) + "  y " + Math.floor(p.y) : "";
  }

  function setMarks(on) {
    kept.marks = on;
    marks.style.display = on ? "" : "none";
    root.querySelector(".toggle").setAttribute("aria-pressed", String(on));
  }

  const buttons = { in: () => zoom(1.5), out: () => zoom(1 / 1.5), fit, toggle: () => setMarks(!kept.marks) };
  for (const [name, act] of Object.entries(buttons)) {
    const button = root.querySelector("." + name);
    button.title = data.words[name];
    button.setAttribute("aria-label", data.words[name]);
    button.onclick = act;
  }
  root.querySelector(".toggle").hidden = data.marks.length === 0;
  svg.onpointerleave = () => (place.textContent = "");
  svg.onwheel = (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 300), point(event));
  };

  root.style.setProperty("--ratio", String(data.width / data.height));
  const sized = new ResizeObserver(() => (kept.frame && root.classList.contains("zoomed") ? show(kept.frame) : fit()));

  function open() {
    if (kept.frame && root.classList.contains("zoomed")) show(kept.frame);
    else fit();
    setMarks(kept.marks);
    sized.observe(svg);
  }

  function close() {
    sized.disconnect();
    window.removeEventListener("kenpin-picture", fill);
  }

  return { svg, kept, show, fit, zoom, point, pan, tell, open, close };
}
