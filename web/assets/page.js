// What scripts add to pages that work without them: the viewer's zone, live progress, keys.
"use strict";

// The server writes times in the zone that this cookie names.
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const wanted = "zone=" + zone.replaceAll("/", "%2F");
  if (document.cookie.split("; ").includes(wanted)) return;
  document.cookie = wanted + "; Path=/; SameSite=Strict; Max-Age=31536000";
  const took = document.cookie.split("; ").includes(wanted);
  if (took && zone !== "UTC" && !document.querySelector("form[method=post] input:focus")) location.reload();
})();

// How far something is, told by the server.
(() => {
  const panel = document.querySelector("[data-events]");
  if (!panel) return;
  const line = panel.querySelector(".work-line");
  const bar = panel.querySelector("progress");
  const events = new EventSource(panel.dataset.events);
  events.onmessage = (event) => {
    const seen = JSON.parse(event.data);
    if (seen.state !== "running") {
      events.close();
      location.reload();
      return;
    }
    if (seen.line && line.textContent !== seen.line) line.textContent = seen.line;
    if (seen.percent === null) bar.removeAttribute("value");
    else bar.value = seen.percent;
  };
})();

// A page that fills while it is looked at.
(() => {
  const seconds = Number(document.body.dataset.refresh);
  if (!seconds || document.querySelector("[data-events]")) return;
  setTimeout(() => location.reload(), seconds * 1000);
})();

// A line of a transcript leads to its place in the film.
(() => {
  const film = document.getElementById("film");
  if (!film) return;
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-seek]");
    if (!link) return;
    event.preventDefault();
    film.currentTime = Number(link.dataset.seek);
    film.play();
  });
})();

// Keys. None of them does anything while somebody types.
(() => {
  const sheet = document.getElementById("sheet");
  const button = document.getElementById("keys");
  if (!sheet || !sheet.showModal) return;
  button.hidden = false;
  button.addEventListener("click", () => sheet.showModal());
  let after = null;
  const rows = () => [...document.querySelectorAll(".rows tbody th a, .sheet article a.t")];
  const move = (step) => {
    const all = rows();
    if (!all.length) return;
    const now = all.indexOf(document.activeElement);
    const next = all[Math.max(0, Math.min(all.length - 1, now < 0 && step < 0 ? all.length - 1 : now + step))];
    next.focus();
    next.scrollIntoView({ block: "center" });
  };
  const click = (selector) => document.querySelector(selector)?.click();
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || sheet.open) return;
    if (event.target.closest("input:not([type=checkbox]):not([type=radio]), select, textarea")) return;
    const key = event.key;
    if (after === "g") {
      after = null;
      if (/^[a-z]$/.test(key)) click(`[data-key="${key}"]`);
      return;
    }
    const acts = {
      "?": () => sheet.showModal(),
      "/": () => (document.getElementById("q") || document.getElementById("find"))?.focus(),
      j: () => move(1),
      k: () => move(-1),
      n: () => click("a[rel=next]"),
      p: () => click("a[rel=prev]"),
      g: () => { after = "g"; },
    };
    if (!acts[key]) return;
    event.preventDefault();
    acts[key]();
  });
})();
