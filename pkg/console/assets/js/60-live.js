// Pages that move: <main data-live> asks for its own address as server-sent events. Each event is the page's content as it is now;
// what changes is [data-live-part], as a whole, and the charts within [data-live-charts]. The browser asks again when an
// answer ends. A page that is hidden asks for nothing.
(() => {
  "use strict";
  const main = document.querySelector("main[data-live]");
  if (!main) {
    return;
  }
  let source;
  let paused = false;
  const button = () => main.querySelector("[data-live-switch]");

  // busy reports whether somebody reads or uses a part, which must not change under them.
  const busy = (part) => {
    const selection = getSelection();
    return (part.contains(document.activeElement) && document.activeElement !== part) ||
      part.querySelector(":popover-open, dialog[open], details.menu[open]") !== null ||
      (selection && !selection.isCollapsed && part.contains(selection.anchorNode));
  };
  const open = (part) => [...part.querySelectorAll("details")].map((d) => d.open);

  const replacePart = (part, next) => {
    if (part.dataset.liveWas === next.innerHTML || busy(part)) {
      return;
    }
    const opened = open(part);
    const scrolled = [...part.querySelectorAll(".table-wrap")].map((wrap) => [wrap.scrollLeft, wrap.scrollTop]);
    const was = next.innerHTML;
    part.replaceChildren(...next.childNodes);
    part.dataset.liveWas = was;
    part.querySelectorAll("details").forEach((d, i) => (d.open = opened[i] ?? d.open));
    part.querySelectorAll(".table-wrap").forEach((wrap, i) => scrolled[i] && wrap.scrollTo(...scrolled[i]));
    window.htmx?.process(part);
    part.dispatchEvent(new CustomEvent("skystash:changed", { bubbles: true }));
  };
  const replaceChart = (card, next) => {
    const host = card.querySelector(".chart");
    const now = next.querySelector(".chart");
    const total = card.querySelector(".chart-total");
    if (total) {
      total.textContent = next.querySelector(".chart-total")?.textContent ?? "";
    }
    if (!host.plot || !now.dataset.chart) {
      if (host.plot || now.dataset.chart) {
        host.plot?.destroy();
        card.replaceWith(next);
        document.dispatchEvent(new CustomEvent("skystash:charts", { detail: next }));
      }
      return;
    }
    host.setAttribute("aria-label", now.getAttribute("aria-label"));
    host.redraw(now.dataset.chart);
    const table = card.querySelector(".chart-data tbody");
    if (table && card.querySelector("details").open && !busy(table)) {
      table.replaceWith(next.querySelector(".chart-data tbody"));
    }
  };

  const change = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    for (const next of template.content.querySelectorAll("[data-live-part]")) {
      const part = main.querySelector(`[data-live-part="${next.dataset.livePart}"]`);
      if (part) {
        replacePart(part, next);
      }
    }
    for (const next of template.content.querySelectorAll("[data-live-charts] > section")) {
      const card = main.querySelector(`[data-live-charts] > section[aria-labelledby="${next.getAttribute("aria-labelledby")}"]`);
      if (card) {
        replaceChart(card, next);
      }
    }
    main.dataset.liveEvents = String(Number(main.dataset.liveEvents ?? 0) + 1);
  };

  const stop = () => {
    source?.close();
    source = undefined;
  };
  const start = () => {
    if (source || paused || document.hidden) {
      return;
    }
    source = new EventSource(location.href);
    source.addEventListener("message", (message) => change(message.data));
    source.addEventListener("error", () => {
      if (source?.readyState === EventSource.CLOSED) {
        stop();
        say(false);
      }
    });
  };
  const say = (live) => {
    const b = button();
    if (b) {
      b.setAttribute("aria-pressed", String(live));
      b.querySelector("span").textContent = live ? "Live" : "Paused";
    }
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
  main.addEventListener("click", (event) => {
    if (event.target.closest("[data-live-switch]")) {
      paused = Boolean(source);
      (paused ? stop : start)();
      say(!paused);
    }
  });
  addEventListener("pagehide", stop);
  addEventListener("pageshow", start);
  say(true);
  start();
})();
