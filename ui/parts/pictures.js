// Keeps the pixels of a picture in this window under its name, apart from the marks, which change far more often.
const MOST = 8;

export default function ({ data }) {
  const kept = (window.kenpinPictures = window.kenpinPictures || new Map());
  kept.delete(data.name);
  kept.set(data.name, data.src);
  while (kept.size > MOST) kept.delete(kept.keys().next().value);
  window.dispatchEvent(new CustomEvent("kenpin-picture", { detail: data.name }));
}
