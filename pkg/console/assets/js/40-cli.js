// The command line: completion from the server's command table, and a history that lasts as long
// as the browser's tab, for commands may hold secrets.
(() => {
  "use strict";
  const box = document.querySelector("[data-cli]");
  if (!box) {
    return;
  }
  const input = box.querySelector("#line");
  const list = box.querySelector("#cli-list");
  const hint = box.querySelector("#cli-hint");
  const log = box.querySelector("#cli-log");
  const form = box.querySelector(".cli-form");
  const start = log.querySelector(".cli-start");
  const clear = () => log.replaceChildren(start);

  const store = `skystash-cli-${box.dataset.cli}`;
  const past = (() => {
    try {
      return JSON.parse(sessionStorage.getItem(store)) ?? [];
    } catch {
      return [];
    }
  })();
  let place = past.length; // in past; its length is what is being typed
  let typed = "";
  const remember = (line) => {
    if (line && past.at(-1) !== line) {
      past.push(line);
      past.splice(0, past.length - 200);
      try {
        sessionStorage.setItem(store, JSON.stringify(past));
      } catch {
        // The history then lasts as long as the page.
      }
    }
    place = past.length;
  };
  const recall = (step) => {
    if (place === past.length) {
      typed = input.value;
    }
    place = Math.min(Math.max(0, place + step), past.length);
    input.value = place === past.length ? typed : past[place];
    input.setSelectionRange(input.value.length, input.value.length);
    close();
    explain();
  };

  let commands = [];
  fetch(input.dataset.commands).then((response) => response.json()).then((all) => {
    commands = all;
  }, () => {});

  let chosen = -1;
  const close = () => {
    list.hidden = true;
    chosen = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const choose = (index) => {
    const items = [...list.children];
    chosen = (index + items.length) % items.length;
    items.forEach((item, i) => item.setAttribute("aria-selected", String(i === chosen)));
    items[chosen].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", items[chosen].id);
  };
  const take = (name) => {
    input.value = name + " ";
    close();
    explain();
    input.focus();
  };
  const offer = () => {
    const text = input.value.trimStart().toUpperCase();
    const found = text ? commands.filter((c) => c.name.startsWith(text) && c.name !== text).slice(0, 8) : [];
    if (found.length === 0) {
      close();
      return;
    }
    list.replaceChildren(...found.map((c, i) => {
      const item = document.createElement("li");
      item.id = `cli-option-${i}`;
      item.role = "option";
      item.setAttribute("aria-selected", "false");
      item.dataset.name = c.name;
      const name = document.createElement("b");
      name.textContent = c.name;
      const summary = document.createElement("span");
      summary.textContent = c.summary;
      item.append(name, summary);
      return item;
    }));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    choose(0);
  };
  const explain = () => {
    const text = input.value.trimStart().toUpperCase();
    let best = null;
    for (const c of commands) {
      if ((text === c.name || text.startsWith(c.name + " ")) && (!best || c.name.length > best.name.length)) {
        best = c;
      }
    }
    hint.textContent = best ? `${best.usage} — ${best.summary}` : "";
  };

  input.addEventListener("input", () => {
    offer();
    explain();
  });
  input.addEventListener("blur", () => setTimeout(() => document.activeElement !== input && close(), 150));
  input.addEventListener("keydown", (event) => {
    const open = !list.hidden;
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp": {
        event.preventDefault();
        const step = event.key === "ArrowDown" ? 1 : -1;
        if (open) {
          choose(chosen + step);
        } else {
          recall(step);
        }
        break;
      }
      case "Tab":
        if (open && !event.shiftKey) {
          event.preventDefault();
          take(list.children[chosen].dataset.name);
        }
        break;
      case "Escape":
        if (open) {
          event.preventDefault();
          close();
        }
        break;
      case "l":
        if (event.ctrlKey) {
          event.preventDefault();
          clear();
        }
        break;
    }
  });
  list.addEventListener("mousedown", (event) => {
    const item = event.target.closest("li");
    if (item) {
      event.preventDefault();
      take(item.dataset.name);
    }
  });
  form.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target !== form) {
      return;
    }
    const line = input.value.trim();
    if (line === "" || line.toLowerCase() === "clear") {
      event.preventDefault();
      if (line) {
        clear();
        input.value = "";
      }
      return;
    }
    close();
    remember(line);
  });
  log.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.requestConfig.elt === form) {
      input.value = "";
      hint.textContent = "";
    }
    event.detail.requestConfig.elt.closest(".cli-confirm")?.remove();
    log.scrollTop = log.scrollHeight;
    input.focus();
  });
  start.addEventListener("click", (event) => {
    const example = event.target.closest("[data-cli-example]");
    if (example) {
      input.value = example.dataset.cliExample;
      explain();
      input.focus();
    }
  });
  document.querySelector("[data-cli-clear]").addEventListener("click", () => {
    clear();
    input.focus();
  });
})();
