// Leads the eye: a citation [n] opens its step, scrolls to it and shows it on the picture; a new turn is scrolled to.
const LINK = 'a[href^="#step-"]';

function reveal(target, block) {
  for (let up = target.closest("details"); up; up = up.parentElement.closest("details")) {
    if (!up.open) up.querySelector("summary").click();
  }
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  setTimeout(() => target.scrollIntoView({ block, behavior: calm ? "auto" : "smooth" }), 60);
}

export default function ({ data, setTriggerValue }) {
  function onClick(event) {
    const link = event.target instanceof Element && event.target.closest(LINK);
    const target = link && document.querySelector(".st-key-" + link.getAttribute("href").slice(1));
    if (!target) return;
    event.preventDefault();
    for (const other of document.querySelectorAll(".kenpin-here")) other.classList.remove("kenpin-here");
    target.classList.add("kenpin-here");
    reveal(target, "center");
    setTriggerValue("step", Number(link.getAttribute("href").slice("#step-".length)));
  }
  document.addEventListener("click", onClick, true);

  const pane = document.querySelector(".st-key-pane-conversation");
  const kept = (window.kenpinGuide = window.kenpinGuide || { at: null });
  const now = data.at + (data.follow ? " live" : "");
  kept.follower?.disconnect();
  if (pane && data.follow) {
    kept.follower = new MutationObserver(() => (pane.scrollTop = pane.scrollHeight));
    kept.follower.observe(pane, { childList: true, subtree: true });
    pane.scrollTop = pane.scrollHeight;
  } else if (data.at && now !== kept.at) {
    const turn = document.querySelector(".st-key-" + data.at);
    if (turn) reveal(turn, "start");
  }
  kept.at = now;
  return () => document.removeEventListener("click", onClick, true);
}
