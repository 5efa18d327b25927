// The keyboard: Ctrl-K, or ⌘K, goes to pages, resources, keys, messages and runs; / goes to the search; j and k go through a list.
(() => {
  "use strict";
  const typing = (target) => target.closest?.("input, textarea, select, [contenteditable], dialog") !== null;

  // items are what a list can be gone through by: keys, records that open, links of a table's rows.
  const items = () => [...document.querySelectorAll(".key-link, .record > summary, .main .table tbody th[scope=row] a")].filter((e) => e.checkVisibility());
  const move = (step) => {
    const list = items();
    const at = list.indexOf(document.activeElement);
    const next = list[at < 0 ? (step > 0 ? 0 : list.length - 1) : Math.max(0, Math.min(list.length - 1, at + step))];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };

  let dialog;
  let input;
  let list;
  let chosen = 0;

  // entries are what a text can lead to.
  const entries = (text) => {
    const found = [];
    const add = (label, kind, href) => found.push({ label, kind, href });
    for (const link of document.querySelectorAll(".side a")) {
      add(link.textContent.trim(), "Page", link.href);
    }
    for (const link of document.querySelectorAll("nav[aria-label=Resources] a, .table a.cell-title")) {
      add(link.querySelector("small")?.previousSibling?.textContent.trim() ?? link.textContent.trim(), "Resource", link.href);
    }
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const matching = found.filter(({ label, kind }) => words.every((word) => `${label} ${kind}`.toLowerCase().includes(word)));
    const [, base] = location.pathname.match(/^(\/console\/r\/[^/]+)/) ?? [];
    if (base && text) {
      const has = (page) => document.querySelector(`.side a[href="${base}/${page}"]`);
      const q = encodeURIComponent(text);
      if (has("browser")) {
        matching.push({ label: `Keys with ${text}`, kind: "Data", href: `${base}/browser?match=${q}` }, { label: `Key ${text}`, kind: "Data", href: `${base}/browser?key=${q}` });
      }
      if (has("topics")) {
        matching.push({ label: `Topic ${text}`, kind: "Data", href: `${base}/topics/${q}` });
      }
      if (has("logs")) {
        matching.push({ label: `Messages to ${text}`, kind: "Data", href: `${base}/logs?url=${q}` }, { label: `Message ${text}`, kind: "Data", href: `${base}/messages/${q}` },
          { label: `Workflow run ${text}`, kind: "Data", href: `${base}/runs/${q}` });
      }
    }
    return matching.slice(0, 12);
  };

  const show = () => {
    const all = entries(input.value.trim());
    chosen = Math.max(0, Math.min(chosen, all.length - 1));
    list.replaceChildren(...all.map((entry, i) => {
      const link = document.createElement("a");
      const kind = document.createElement("small");
      link.className = "palette-item";
      link.href = entry.href;
      link.id = `palette-${i}`;
      link.tabIndex = -1;
      link.setAttribute("role", "option");
      link.setAttribute("aria-selected", String(i === chosen));
      kind.textContent = entry.kind;
      link.append(entry.label, kind);
      return link;
    }));
    input.setAttribute("aria-activedescendant", all.length > 0 ? `palette-${chosen}` : "");
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
  };

  const build = () => {
    dialog = document.createElement("dialog");
    dialog.className = "dialog palette";
    dialog.setAttribute("aria-label", "Go to");
    input = document.createElement("input");
    input.className = "input";
    input.placeholder = "Go to a page, a resource, a key, a message …";
    input.autocomplete = "off";
    input.spellcheck = false;
    for (const [name, value] of Object.entries({ role: "combobox", "aria-label": "Go to", "aria-expanded": "true", "aria-controls": "palette-list", "aria-autocomplete": "list" })) {
      input.setAttribute(name, value);
    }
    list = document.createElement("div");
    list.id = "palette-list";
    list.className = "palette-list";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Places");
    dialog.append(input, list);
    document.body.append(dialog);
    input.addEventListener("input", () => {
      chosen = 0;
      show();
    });
    input.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) {
        event.preventDefault();
        chosen += step;
        show();
      } else if (event.key === "Enter") {
        event.preventDefault();
        list.children[chosen]?.click();
      }
    });
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  };
  const openPalette = () => {
    if (!dialog) {
      build();
    }
    if (!dialog.open) {
      chosen = 0;
      input.value = "";
      show();
      dialog.showModal();
      input.focus();
    }
  };

  document.addEventListener("click", (event) => event.target.closest("[data-palette]") && openPalette());
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k" && document.querySelector(".bar")) {
      event.preventDefault();
      openPalette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) {
      return;
    }
    switch (event.key) {
      case "/": {
        const search = document.querySelector(".main input[type=search], .main .card-filters input:not([type=hidden])");
        if (search) {
          event.preventDefault();
          search.focus();
          search.select();
        }
        break;
      }
      case "j":
        move(1);
        break;
      case "k":
        move(-1);
        break;
    }
  });
})();
