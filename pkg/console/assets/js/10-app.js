// What the pages need besides htmx: theme, copying, dialogs, menus, tabs, toasts.
// Everything is found by data attributes, so that pages have no scripts of their own.
(() => {
  "use strict";
  const csrf = () => document.querySelector("meta[name=csrf-token]")?.content ?? "";

  // say shows a toast; the live region is in every page.
  const say = (text, tone) => {
    const toasts = document.getElementById("toasts");
    const template = document.getElementById("toast-template");
    const toast = template.content.firstElementChild.cloneNode(true);
    toast.querySelector("p").textContent = text;
    if (tone === "bad") {
      toast.classList.add("toast-bad");
      toast.setAttribute("role", "alert");
    }
    toasts.append(toast);
    expire(toast);
  };
  const expire = (toast) => {
    if (!toast.classList.contains("toast-bad")) {
      setTimeout(() => toast.remove(), 6000);
    }
  };

  // copyText copies a text, or a promise of one: browsers want the call itself to be in the click.
  const copyText = async (text) => {
    if (window.ClipboardItem && navigator.clipboard?.write) {
      const blob = Promise.resolve(text).then((t) => new Blob([t], { type: "text/plain" }));
      await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
    } else {
      await navigator.clipboard.writeText(await text);
    }
  };
  // secret asks for a text that is not in the page, such as a token or a snippet with one.
  const secret = async (url) => {
    const response = await fetch(url, { method: "POST", headers: { "X-CSRF-Token": csrf(), Accept: "text/plain" } });
    if (!response.ok) {
      throw new Error("The text could not be read. Reload the page and try again.");
    }
    return response.text();
  };
  const copy = async (button) => {
    const { copy, copyTarget, copyUrl } = button.dataset;
    try {
      await copyText(copyUrl ? secret(copyUrl) : copyTarget ? document.getElementById(copyTarget).textContent : copy);
      const use = button.querySelector("use");
      button.dataset.icon ??= use?.getAttribute("href") ?? "";
      use?.setAttribute("href", button.dataset.icon.replace(/#.*/, "#check"));
      clearTimeout(button.copied);
      button.copied = setTimeout(() => use?.setAttribute("href", button.dataset.icon), 1600);
      document.getElementById("announce").textContent = "Copied";
    } catch (error) {
      say(error.message || "Copying is not allowed by the browser.", "bad");
    }
  };

  const setTheme = (theme) => {
    const root = document.documentElement;
    const secure = location.protocol === "https:" ? ";secure" : "";
    if (theme === "system") {
      delete root.dataset.theme;
      document.cookie = `skystash_theme=;path=/console;max-age=0;samesite=strict${secure}`;
    } else {
      root.dataset.theme = theme;
      document.cookie = `skystash_theme=${theme};path=/console;max-age=31536000;samesite=strict${secure}`;
    }
    markTheme();
    dispatchEvent(new Event("skystash:theme"));
  };
  const markTheme = () => {
    const theme = document.documentElement.dataset.theme ?? "system";
    for (const item of document.querySelectorAll("[data-theme-set]")) {
      item.setAttribute("aria-pressed", String(item.dataset.themeSet === theme));
    }
  };

  const selectTab = (tab, focus) => {
    for (const other of tab.closest("[role=tablist]").querySelectorAll("[role=tab]")) {
      const selected = other === tab;
      other.setAttribute("aria-selected", String(selected));
      other.tabIndex = selected ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !selected;
    }
    if (focus) {
      tab.focus();
    }
  };

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-copy],[data-copy-target],[data-copy-url],[data-dialog],[data-close],[data-theme-set],[data-dismiss],[role=tab]");
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) {
        menu.open = false;
      }
    }
    if (!target) {
      return;
    }
    const data = target.dataset;
    if (data.copy !== undefined || data.copyTarget || data.copyUrl) {
      copy(target);
    } else if (data.dialog) {
      document.getElementById(data.dialog).showModal();
    } else if (data.close !== undefined) {
      target.closest("dialog").close();
    } else if (data.themeSet) {
      setTheme(data.themeSet);
      target.closest("details.menu").open = false;
    } else if (data.dismiss !== undefined) {
      target.closest(".toast").remove();
    } else {
      selectTab(target, false);
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = document.querySelector("details.menu[open]");
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    }
    const tab = event.target.closest?.("[role=tab]");
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (tab && step) {
      const tabs = [...tab.closest("[role=tablist]").querySelectorAll("[role=tab]")];
      selectTab(tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length], true);
    }
  });

  // A dialog's button stays disabled until what is to be deleted has been typed.
  document.addEventListener("input", (event) => {
    const { confirm } = event.target.dataset;
    if (confirm !== undefined) {
      event.target.form.querySelector("[type=submit]").disabled = event.target.value !== confirm;
    }
  });
  // A select or a date that filters acts at once.
  document.addEventListener("change", (event) => {
    if (event.target.closest("[data-autosubmit]") && !event.target.closest("[hx-get]")) {
      event.target.form.requestSubmit();
    }
  });
  document.addEventListener("submit", (event) => {
    // Twice is once.
    if (event.target.dataset.sent !== undefined) {
      event.preventDefault();
    } else if (event.target.method === "post" && !event.target.hasAttribute("hx-post")) {
      event.target.dataset.sent = "";
    }
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
    }
  });

  // The server says HX-Trigger: {"toast": {"text": …, "tone": …}}.
  document.addEventListener("toast", (event) => say(event.detail.text, event.detail.tone));
  document.addEventListener("htmx:sendError", () => say("The server cannot be reached. Check the connection and try again.", "bad"));
  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRF-Token"] = csrf();
  });

  const localTimes = (root) => {
    for (const time of root.querySelectorAll("time[data-local]")) {
      const at = new Date(time.dateTime);
      time.title = time.textContent;
      time.textContent = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: time.dataset.local === "seconds" ? "medium" : "short" });
    }
  };
  document.addEventListener("skystash:changed", (event) => localTimes(event.target));
  document.addEventListener("htmx:load", (event) => localTimes(event.detail.elt));

  markTheme();
  localTimes(document);
  for (const toast of document.querySelectorAll("#toasts .toast")) {
    expire(toast);
  }
  document.querySelector("dialog[data-open]")?.showModal();
  document.querySelector("form[data-submit-now]")?.requestSubmit();
  const current = document.querySelector(".side [aria-current=page]");
  const side = current?.closest(".side");
  if (side && side.scrollWidth > side.clientWidth) {
    side.scrollLeft = current.offsetLeft - side.clientWidth / 2 + current.offsetWidth / 2;
  }
  window.skystash = { say, copyText, csrf };
})();
